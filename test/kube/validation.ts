/** What the API server refuses of an object: the rules that a wrong Job, name or change would break, in its words. */
import { isDeepStrictEqual } from 'node:util';
import { ApiError, type KubeObject, typeOf } from './objects.js';

/** RFC 1123 subdomain: the name of any object. */
const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
/** A label, and the host name of a pod. */
const MAX_LABEL = 63;

/** What of a Job may change once it is there. */
const MUTABLE_OF_JOB = [
  'parallelism',
  'activeDeadlineSeconds',
  'suspend',
  'ttlSecondsAfterFinished',
  'backoffLimit',
];

/** Sets what a server sets where nothing stands. */
export function withDefaults(object: KubeObject): KubeObject {
  if (object.kind === 'PersistentVolumeClaim')
    return { ...object, status: object.status ?? { phase: 'Pending' } };
  if (object.kind !== 'Job') return object;
  const { spec } = object;
  const defaults = {
    parallelism: spec.completions ?? 1,
    completionMode: 'NonIndexed',
    suspend: false,
    ...(spec.backoffLimitPerIndex === undefined ? { backoffLimit: 6 } : { backoffLimit: 2147483647 }),
    ...(spec.completionMode === 'Indexed' ? {} : { completions: 1 }),
  };
  return { ...object, spec: { ...defaults, ...spec }, status: object.status ?? {} };
}

/** @throws {ApiError} 422 with every fault */
export function validate(object: KubeObject): void {
  const faults = [...nameFaults(object), ...(object.kind === 'Job' ? jobFaults(object) : [])];
  if (faults.length > 0) throw invalid(object, faults);
}

/** @throws {ApiError} 422 when a field changes that never does */
export function validateChange(before: KubeObject, after: KubeObject): void {
  if (after.kind === 'Job') {
    const fixed = (spec: Record<string, unknown>) =>
      Object.fromEntries(Object.entries(spec).filter(([key]) => !MUTABLE_OF_JOB.includes(key)));
    const [then, now] = [fixed(before.spec), fixed(after.spec)];
    const changed = Object.keys({ ...then, ...now }).filter((key) => !isDeepStrictEqual(then[key], now[key]));
    if (changed.length > 0)
      throw invalid(
        after,
        changed.map((key) => `spec.${key}: Invalid value: field is immutable`),
      );
  }
  if (after.kind === 'PersistentVolumeClaim' && !isDeepStrictEqual(before.spec, after.spec)) {
    throw invalid(after, [
      'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
    ]);
  }
}

function invalid(object: KubeObject, faults: readonly string[]): ApiError {
  const { group } = typeOf(object);
  const kind = group === '' ? object.kind : `${object.kind}.${group}`;
  const list = faults.length === 1 ? faults[0] : `[${faults.join(', ')}]`;
  return new ApiError(422, 'Invalid', `${kind} "${object.metadata.name}" is invalid: ${list}`);
}

function nameFaults({ metadata, kind }: KubeObject): readonly string[] {
  const max = kind === 'Job' ? MAX_LABEL : 253;
  return [
    ...(NAME.test(metadata.name) && metadata.name.length <= max
      ? []
      : [
          `metadata.name: Invalid value: "${metadata.name}": must be a lowercase RFC 1123 name of at most ${max} characters`,
        ]),
    ...Object.entries(metadata.labels ?? {})
      .filter(
        ([, value]) => typeof value !== 'string' || value.length > MAX_LABEL || !LABEL_VALUE.test(value),
      )
      .map(
        ([key, value]) =>
          `metadata.labels: Invalid value: "${value}" (${key}): a valid label must be of at most 63 alphanumeric characters, '-', '_' or '.'`,
      ),
  ];
}

function jobFaults({ metadata, spec }: KubeObject): readonly string[] {
  const pod = spec.template?.spec ?? {};
  const containers = pod.containers ?? [];
  const isIndexed = spec.completionMode === 'Indexed';
  const lastHost = `${metadata.name}-${(spec.completions ?? 1) - 1}`;
  return [
    ...(containers.length === 0 ? ['spec.template.spec.containers: Required value'] : []),
    ...containers
      .filter(({ image }: { image?: string }) => !image)
      .map((_: unknown, index: number) => `spec.template.spec.containers[${index}].image: Required value`),
    ...(['Never', 'OnFailure'].includes(pod.restartPolicy)
      ? []
      : ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"']),
    ...(isIndexed && spec.completions === undefined
      ? ['spec.completions: Required value: when completion mode is Indexed']
      : []),
    ...(isIndexed && lastHost.length > MAX_LABEL
      ? [`metadata.name: Invalid value: "${lastHost}": will not able to create pod with invalid DNS label`]
      : []),
    ...(!isIndexed && (spec.backoffLimitPerIndex ?? spec.maxFailedIndexes) !== undefined
      ? ['spec.backoffLimitPerIndex: Invalid value: requires indexed completion mode']
      : []),
    ...(spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined
      ? ['spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified']
      : []),
    ...(spec.maxFailedIndexes > spec.completions
      ? ['spec.maxFailedIndexes: Invalid value: must be less than or equal to completions']
      : []),
    ...(spec.podFailurePolicy !== undefined && pod.restartPolicy !== 'Never'
      ? [
          'spec.template.spec.restartPolicy: Invalid value: only "Never" is supported when podFailurePolicy is specified',
        ]
      : []),
  ];
}
