/** What a request is about: its address read as resource, namespace, name, and what authorisation makes of it. */
import { ApiError, qualifiedName, RESOURCE_TYPES, type ResourceType } from './objects.js';

/** What one request wants, as authorisation sees it. */
export interface Access {
  readonly verb: string;
  /** `jobs.batch`, `pods`. */
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}

/** An address, read. */
export interface Target {
  readonly resource: ResourceType;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string;
  readonly query: URLSearchParams;
}

/** `/api/v1/namespaces/<ns>/<plural>/<name>/<subresource>`, with `/apis/<group>/<version>` for the others. */
export function parseTarget({ pathname, searchParams }: URL): Target {
  const parts = pathname
    .split('/')
    .filter((part) => part !== '')
    .map(decodeURIComponent);
  const [group = '', rest] = parts[0] === 'api' ? ['', parts.slice(2)] : [parts[1], parts.slice(3)];
  const isScoped = rest[0] === 'namespaces' && rest.length > 2;
  const [plural = '', name, subresource = ''] = isScoped ? rest.slice(2) : rest;
  const resource = RESOURCE_TYPES.find((each) => each.group === group && each.plural === plural);
  if (resource === undefined)
    throw new ApiError(404, 'NotFound', 'the server could not find the requested resource');
  return { resource, namespace: isScoped ? rest[1] : undefined, name, subresource, query: searchParams };
}

/** The verb of a request and what it is about. */
export function accessOf(method: string, { resource, namespace, name, subresource, query }: Target): Access {
  const verbs: Readonly<Record<string, string>> = {
    POST: 'create',
    PUT: 'update',
    PATCH: 'patch',
    DELETE: 'delete',
  };
  const reading = query.get('watch') === 'true' ? 'watch' : name === undefined ? 'list' : 'get';
  return { verb: verbs[method] ?? reading, resource: qualifiedName(resource), subresource, namespace, name };
}
