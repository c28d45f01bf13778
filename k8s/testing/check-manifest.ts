/** Checks manifests as strictly as an API server does, and some of it more strictly: without a cluster. */
import type {
  V1Container,
  V1Deployment,
  V1Job,
  V1JobSpec,
  V1ObjectMeta,
  V1PodSpec,
  V1PodTemplateSpec,
} from '@kubernetes/client-node';
import type { KubernetesObject } from '../manifests/templates.js';
import { customFields, type KnownFields, wrongFields } from './fields.js';

/** Type names of the kinds, by API version. */
const TYPES: Readonly<Record<string, string>> = {
  'v1/ConfigMap': 'V1ConfigMap',
  'v1/PersistentVolume': 'V1PersistentVolume',
  'v1/PersistentVolumeClaim': 'V1PersistentVolumeClaim',
  'v1/Pod': 'V1Pod',
  'v1/Service': 'V1Service',
  'v1/ServiceAccount': 'V1ServiceAccount',
  'apps/v1/Deployment': 'V1Deployment',
  'autoscaling/v2/HorizontalPodAutoscaler': 'V2HorizontalPodAutoscaler',
  'batch/v1/Job': 'V1Job',
  'networking.k8s.io/v1/Ingress': 'V1Ingress',
  'networking.k8s.io/v1/NetworkPolicy': 'V1NetworkPolicy',
  'policy/v1/PodDisruptionBudget': 'V1PodDisruptionBudget',
  'rbac.authorization.k8s.io/v1/Role': 'V1Role',
  'rbac.authorization.k8s.io/v1/RoleBinding': 'V1RoleBinding',
};

/** Fields with few values, which the schemas do not name. */
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  completionMode: ['Indexed', 'NonIndexed'],
  whenUnsatisfiable: ['DoNotSchedule', 'ScheduleAnyway'],
  accessModes: ['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOncePod'],
  policyTypes: ['Ingress', 'Egress'],
  pathType: ['Exact', 'Prefix', 'ImplementationSpecific'],
  unhealthyPodEvictionPolicy: ['IfHealthyBudget', 'AlwaysAllow'],
  terminationMessagePolicy: ['File', 'FallbackToLogsOnError'],
  persistentVolumeReclaimPolicy: ['Retain', 'Delete', 'Recycle'],
  imagePullPolicy: ['Always', 'IfNotPresent', 'Never'],
  fsGroupChangePolicy: ['OnRootMismatch', 'Always'],
  protocol: ['TCP', 'UDP', 'SCTP'],
  action: ['Ignore', 'FailIndex', 'FailJob', 'Count'],
};

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const SERVICE = /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/;
const LABEL_KEY = /^([a-z0-9.-]{1,253}\/)?[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?)?$/;
const QUANTITY = /^\d+(\.\d+)?([munkMGTPE]|[KMGTPE]i)?$/;

const CUSTOM = customFields();

/** Whether a definition of its own says what an object is. */
export const isCustom = ({ apiVersion, kind }: KubernetesObject): boolean =>
  Object.hasOwn(CUSTOM, `${apiVersion}/${kind}`);

/** A sentence for each fault of an object; `fields` is what the Kubernetes at hand knows. */
export function faultsOf(object: KubernetesObject, fields: KnownFields): readonly string[] {
  const name = `${object.apiVersion}/${object.kind}`;
  const type = isCustom(object) ? name : TYPES[name];
  if (type === undefined) return [`${object.apiVersion} ${object.kind}: no such kind`];
  const faults = [
    ...wrongFields(object, type, isCustom(object) ? CUSTOM : fields),
    ...wrongChoices(object),
    ...wrongMetadata(object.metadata, object.kind),
    ...(object.kind === 'Job' ? wrongJob(object as unknown as V1Job) : []),
    ...(object.kind === 'Deployment' ? wrongDeployment(object as unknown as V1Deployment) : []),
    ...(object.kind === 'Pod' ? wrongPod((object as unknown as { spec: V1PodSpec }).spec) : []),
    ...(object.kind === 'ServingRuntime' ? wrongRuntime(object as unknown as { spec: V1PodSpec }) : []),
  ];
  return faults.map((fault) => `${object.kind} ${object.metadata.name}: ${fault}`);
}

function wrongChoices(value: unknown, name = ''): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((each: unknown) => wrongChoices(each, name));
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([key, each]) => wrongChoices(each, key));
  const choices = CHOICES[name];
  return choices === undefined || choices.includes(String(value))
    ? []
    : [`${name}: ${String(value)} is no choice`];
}

function wrongMetadata({ name = '', labels }: V1ObjectMeta, kind: string): readonly string[] {
  // A Job's name becomes a label of its pods, and with the index the host name of each.
  const pattern = kind === 'Service' ? SERVICE : kind === 'Job' ? LABEL : SUBDOMAIN;
  return [...(pattern.test(name) ? [] : [`the name "${name}"`]), ...wrongLabels(labels)];
}

function wrongLabels(labels: Readonly<Record<string, string>> = {}): readonly string[] {
  return Object.entries(labels)
    .filter(([key, value]) => !LABEL_KEY.test(key) || !LABEL_VALUE.test(value))
    .map(([key, value]) => `the label ${key}: ${value}`);
}

function wrongJob({ spec }: V1Job): readonly string[] {
  if (spec?.template === undefined) return ['no template'];
  return [
    ...wrongIndexes(spec),
    ...wrongTemplate(spec.template),
    ...(['Never', 'OnFailure'].includes(spec.template.spec?.restartPolicy ?? '')
      ? []
      : [`restartPolicy ${spec.template.spec?.restartPolicy} of a Job`]),
    ...(spec.podFailurePolicy !== undefined && spec.template.spec?.restartPolicy !== 'Never'
      ? ['podFailurePolicy without restartPolicy Never']
      : []),
    ...(spec.podFailurePolicy?.rules ?? []).flatMap(({ action, onExitCodes }) => [
      ...(action === 'FailIndex' && spec.backoffLimitPerIndex === undefined
        ? ['FailIndex without backoffLimitPerIndex']
        : []),
      ...(onExitCodes?.operator === 'In' && onExitCodes.values.includes(0)
        ? ['exit code 0 among failures']
        : []),
    ]),
  ];
}

function wrongIndexes(spec: V1JobSpec): readonly string[] {
  const { completionMode, completions, parallelism, backoffLimitPerIndex, maxFailedIndexes } = spec;
  const isIndexed = completionMode === 'Indexed';
  return [
    ...(isIndexed && completions === undefined ? ['Indexed without completions'] : []),
    ...(isIndexed && parallelism !== completions ? ['not all indexes at once'] : []),
    ...(backoffLimitPerIndex !== undefined && !isIndexed ? ['backoffLimitPerIndex without Indexed'] : []),
    ...(maxFailedIndexes !== undefined && backoffLimitPerIndex === undefined
      ? ['maxFailedIndexes without backoffLimitPerIndex']
      : []),
    ...((maxFailedIndexes ?? 0) > (completions ?? 0) ? ['maxFailedIndexes above completions'] : []),
  ];
}

function wrongDeployment({ spec }: V1Deployment): readonly string[] {
  if (spec?.template === undefined) return ['no template'];
  const own = spec.template.metadata?.labels ?? {};
  const selected = Object.entries(spec.selector.matchLabels ?? {});
  return [
    ...wrongTemplate(spec.template),
    ...(selected.length > 0 && selected.every(([key, value]) => own[key] === value)
      ? []
      : ['the selector does not select its own pods']),
    ...((spec.template.spec?.restartPolicy ?? 'Always') === 'Always'
      ? []
      : ['restartPolicy of a Deployment']),
  ];
}

function wrongTemplate({ metadata, spec }: V1PodTemplateSpec): readonly string[] {
  return [...wrongLabels(metadata?.labels), ...(spec === undefined ? ['no pod'] : wrongPod(spec))];
}

function wrongPod(spec: V1PodSpec): readonly string[] {
  const containers = [...spec.containers, ...(spec.initContainers ?? [])];
  const names = [...containers.map(({ name }) => name), ...(spec.volumes ?? []).map(({ name }) => name)];
  const volumes = new Set((spec.volumes ?? []).map(({ name }) => name));
  // The one pod that speaks to the API server.
  const mayAsk = spec.serviceAccountName === 'fedbatch-pipeline';
  return [
    ...(spec.automountServiceAccountToken === mayAsk
      ? []
      : [mayAsk ? 'no token of its service account' : 'a token of a service account']),
    ...names.filter((name) => !LABEL.test(name)).map((name) => `the name ${name}`),
    ...(new Set(containers.map(({ name }) => name)).size === containers.length
      ? []
      : ['two containers of one name']),
    ...containers.flatMap((container) => [
      ...wrongContainer(container, volumes),
      ...wrongSecurity(container, spec),
    ]),
  ];
}

/** The containers and volumes of pods; that they have no token, the InferenceService says. */
const wrongRuntime = ({ spec }: { readonly spec: V1PodSpec }) =>
  wrongPod({ ...spec, automountServiceAccountToken: false });

function wrongContainer(container: V1Container, volumes: ReadonlySet<string>): readonly string[] {
  const {
    resources = {},
    volumeMounts = [],
    ports = [],
    startupProbe,
    readinessProbe,
    livenessProbe,
  } = container;
  const quantities = [...Object.entries(resources.requests ?? {}), ...Object.entries(resources.limits ?? {})];
  const portNames = new Set(ports.map(({ name }) => name));
  const probed = [startupProbe, readinessProbe, livenessProbe]
    .map((probe) => probe?.httpGet?.port ?? probe?.tcpSocket?.port)
    .filter((port) => typeof port === 'string');
  return [
    ...(container.image === undefined || container.image === '' ? ['no image'] : []),
    ...quantities
      .filter(([, value]) => !QUANTITY.test(`${value}`))
      .map(([name, value]) => `the quantity ${name}: ${value}`),
    ...Object.entries(resources.requests ?? {})
      .filter(([name, value]) => amount(value) > amount(resources.limits?.[name] ?? `${Infinity}`))
      .map(([name]) => `more ${name} requested than the limit`),
    ...(resources.requests?.cpu && resources.requests.memory && resources.limits?.memory
      ? []
      : ['no resources']),
    ...volumeMounts.filter(({ name }) => !volumes.has(name)).map(({ name }) => `no volume ${name}`),
    ...probed.filter((port) => !portNames.has(port)).map((port) => `no port ${port}`),
    ...ports
      .filter(({ name = 'x' }) => !/^[a-z0-9-]{1,15}$/.test(name))
      .map(({ name }) => `the port's name ${name}`),
  ];
}

/** Pod security `restricted`, and a root file system that cannot be written; the NFS server alone is privileged. */
function wrongSecurity({ securityContext: own = {} }: V1Container, spec: V1PodSpec): readonly string[] {
  if (own.privileged === true) return [];
  const pod = spec.securityContext ?? {};
  const isRestricted =
    (own.runAsNonRoot ?? pod.runAsNonRoot) === true &&
    ((own.runAsUser ?? pod.runAsUser) || 0) > 0 &&
    (own.seccompProfile ?? pod.seccompProfile)?.type === 'RuntimeDefault' &&
    own.allowPrivilegeEscalation === false &&
    own.capabilities?.drop?.includes('ALL') === true &&
    own.capabilities.add === undefined &&
    spec.hostNetwork !== true;
  return [
    ...(isRestricted ? [] : ['not as restricted as pod security wants']),
    ...(own.readOnlyRootFilesystem === true ? [] : ['a root file system that can be written']),
  ];
}

const UNITS: Readonly<Record<string, number>> = {
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

function amount(quantity: string | number): number {
  const [, number = '', unit = ''] = /^([\d.]+|Infinity)(\w*)$/.exec(`${quantity}`) ?? [];
  return Number(number) * (UNITS[unit] ?? 1);
}
