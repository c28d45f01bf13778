/** Who may do what, and how a server words its refusal. */
import { ApiError, type KubeObject, qualifiedName, type ResourceType } from './objects.js';
import type { Access } from './target.js';

/** Decides about one user, and remembers what it allowed. */
export interface Authorization {
  readonly authorize: (access: Access) => boolean;
  readonly user: string;
  readonly accesses: Access[];
}

/** @throws {ApiError} 403, as a real server words it */
export function requireAccess(access: Access, { authorize, accesses, user }: Authorization): void {
  if (!authorize(access)) throw forbidden(access, user);
  accesses.push(access);
}

function forbidden({ verb, resource, subresource, namespace, name }: Access, user: string): ApiError {
  const [plural = '', ...group] = resource.split('.');
  const what =
    name === undefined
      ? qualifiedName({ plural, group: group.join('.') } as ResourceType)
      : `${resource} "${name}"`;
  const below = subresource === '' ? plural : `${plural}/${subresource}`;
  return new ApiError(
    403,
    'Forbidden',
    `${what} is forbidden: User "${user}" cannot ${verb} resource "${below}" in API group "${group.join('.')}"` +
      (namespace === undefined ? ' at the cluster scope' : ` in the namespace "${namespace}"`),
  );
}

/** Answers a SelfSubjectAccessReview. */
export function review(body: unknown, { authorize }: Pick<Authorization, 'authorize'>): object {
  const given = body as KubeObject;
  const {
    verb = '',
    group = '',
    resource = '',
    subresource = '',
    namespace,
    name,
  } = given.spec?.resourceAttributes ?? {};
  const qualified = qualifiedName({ group, plural: resource } as ResourceType);
  const allowed = authorize({ verb, resource: qualified, subresource, namespace, name });
  return {
    ...given,
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    status: { allowed },
  };
}
