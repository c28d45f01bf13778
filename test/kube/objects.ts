/** Kubernetes objects as the fake API server keeps them: plain JSON, with the few fields that it reads itself. */

/** The metadata of any object. */
interface Metadata {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: readonly { readonly kind: string; readonly name: string; readonly uid: string }[];
  managedFields?: readonly unknown[];
}

/** Any object. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: Metadata;
  // biome-ignore lint/suspicious/noExplicitAny: what lies below differs from kind to kind, and is JSON of the client.
  [field: string]: any;
}

/** A kind that the server knows. */
export interface ResourceType {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

const type = (group: string, plural: string, kind: string, namespaced = true): ResourceType => ({
  group,
  version: 'v1',
  plural,
  kind,
  namespaced,
});

/** Everything that fedbatch's manifests hold. */
export const RESOURCE_TYPES: readonly ResourceType[] = [
  type('', 'namespaces', 'Namespace', false),
  type('', 'persistentvolumes', 'PersistentVolume', false),
  type('', 'persistentvolumeclaims', 'PersistentVolumeClaim'),
  type('', 'configmaps', 'ConfigMap'),
  type('', 'pods', 'Pod'),
  type('', 'services', 'Service'),
  type('', 'serviceaccounts', 'ServiceAccount'),
  type('', 'events', 'Event'),
  type('batch', 'jobs', 'Job'),
  type('apps', 'deployments', 'Deployment'),
  type('networking.k8s.io', 'networkpolicies', 'NetworkPolicy'),
  type('networking.k8s.io', 'ingresses', 'Ingress'),
  type('policy', 'poddisruptionbudgets', 'PodDisruptionBudget'),
  type('rbac.authorization.k8s.io', 'roles', 'Role'),
  type('rbac.authorization.k8s.io', 'rolebindings', 'RoleBinding'),
  type('scheduling.k8s.io', 'priorityclasses', 'PriorityClass', false),
];

/** The kind of an object. @throws {ApiError} for one that the server does not know */
export function typeOf({ apiVersion, kind }: Pick<KubeObject, 'apiVersion' | 'kind'>): ResourceType {
  const found = RESOURCE_TYPES.find((each) => each.kind === kind && apiVersionOf(each) === apiVersion);
  if (found === undefined)
    throw new ApiError(404, 'NotFound', `no matches for kind "${kind}" in version "${apiVersion}"`);
  return found;
}

/** `batch/v1`, or `v1` for the core group. */
export const apiVersionOf = ({ group, version }: ResourceType): string =>
  group === '' ? version : `${group}/${version}`;

/** `jobs.batch`, or `pods`: how messages name a kind. */
export const qualifiedName = ({ group, plural }: ResourceType): string =>
  group === '' ? plural : `${plural}.${group}`;

/** A refusal of the API server, as it is sent: a Status. */
export class ApiError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: number, reason: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.headers = headers;
  }

  /** The body of the answer. */
  get status(): object {
    const { code, reason, message } = this;
    return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code };
  }
}

/** Whether an object's labels fit a selector such as `a=b,c in (d,e),!f`. */
export function matchesLabels(labels: Readonly<Record<string, string>>, selector: string): boolean {
  const terms = selector.match(/[^,(]+(\([^)]*\))?/g) ?? [];
  return terms.every((raw) => {
    const term = raw.trim();
    const [, key = '', operator, list = ''] = /^(\S+) (in|notin) \(([^)]*)\)$/.exec(term) ?? [];
    if (operator !== undefined) {
      const isIn = list
        .split(',')
        .map((each) => each.trim())
        .includes(labels[key] ?? '');
      return operator === 'in' ? isIn : !isIn;
    }
    if (term.startsWith('!')) return !(term.slice(1) in labels);
    const [, name = '', sign, value] = /^([^=!]+)(==?|!=)(.*)$/.exec(term) ?? [];
    if (sign === undefined) return term in labels;
    return sign === '!=' ? labels[name] !== value : labels[name] === value;
  });
}

/** Whether an object fits a field selector such as `metadata.name=x,status.phase!=Running`. */
export function matchesFields(object: KubeObject, selector: string): boolean {
  return selector.split(',').every((term) => {
    const [, path = '', sign, value] = /^([^=!]+)(==?|!=)(.*)$/.exec(term.trim()) ?? [];
    const found = path
      .split('.')
      .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], object);
    return (String(found ?? '') === value) === (sign !== '!=');
  });
}

/** The kind of that name. */
export const kindNamed = (kind: string): ResourceType =>
  RESOURCE_TYPES.find((each) => each.kind === kind) as ResourceType;
