/** Reads a pod: which phase it is in, in one word; what keeps it from starting; how it ended and why. */
import type { V1Container, V1ContainerStatus, V1Job, V1Pod } from '@kubernetes/client-node';
import { ExitCode } from '../../lib/core/errors.js';
import { containersOf } from './job-status.js';

/** What a pod is doing, as people call it. */
export type PodPhase = 'waiting for a node' | 'starting' | 'running' | 'done' | 'failed' | 'stopping';

/** Why a pod does not start; `isFinal` says that waiting will hardly help. */
export interface PodTrouble {
  readonly reason: string;
  readonly message: string;
  readonly isFinal: boolean;
  /** Something goes on, which may take its time. */
  readonly isProgress?: boolean;
  /** Others hold what it waits for, and give it back when they are done. */
  readonly lacksRoom?: boolean;
  /** What the user can do about it. */
  readonly advice: string;
}

/** How a pod ended. */
export interface PodEnding {
  /** Of the container that failed; undefined where none has run to an end. */
  readonly exitCode: number | undefined;
  /** In one sentence without its full stop. */
  readonly reason: string;
  /** The container, and the stage's program in it. */
  readonly container: string | undefined;
}

const IMAGE_ADVICE =
  'build and push the images (k8s/build-images.sh), or name others with --image-prefix and --tag';

/** The reason of a pod that fits on no node. */
export const UNSCHEDULABLE = 'Unschedulable';

/** A command of kubectl in an object's namespace, which need not be the one where kubectl points. */
export const kubectlFor = ({ metadata }: V1Pod | V1Job, words: string): string =>
  `kubectl ${words} --namespace ${metadata?.namespace ?? 'default'}`;

/** The command that shows what was told of an object; it does so for an hour, also after the object was deleted. */
export const eventsOf = (object: V1Pod | V1Job): string =>
  kubectlFor(object, `get events --field-selector involvedObject.name=${object.metadata?.name}`);

/** Words of the scheduler where pods that are there hold what one asks for. */
export const NO_ROOM = /Insufficient |Too many pods/;

/** Reasons of a container that waits: those of an image, and those of its configuration. */
const IMAGE_REASONS: readonly string[] = [
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
];
const CONFIG_REASONS: readonly string[] = [
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
  'StartError',
];

/** A container killed by SIGKILL. */
const KILLED = 137;

/** What a pod is doing. */
export function podPhase(pod: V1Pod): PodPhase {
  const { metadata, status } = pod;
  if (status?.phase === 'Succeeded') return 'done';
  if (status?.phase === 'Failed') return 'failed';
  if (metadata?.deletionTimestamp !== undefined) return 'stopping';
  if (containersOf(pod).some(({ state }) => state?.running !== undefined)) return 'running';
  const isScheduled = status?.conditions?.some(
    ({ type, status: is }) => type === 'PodScheduled' && is === 'True',
  );
  return isScheduled ? 'starting' : 'waiting for a node';
}

/** What keeps a pod from starting, if anything does. */
export function podTrouble(pod: V1Pod): PodTrouble | undefined {
  const { spec, status } = pod;
  const unscheduled = status?.conditions?.find(
    ({ type, status: is }) => type === 'PodScheduled' && is === 'False',
  );
  if (unscheduled?.reason === UNSCHEDULABLE) {
    const message = unscheduled.message ?? 'no node has room';
    const lacksRoom = NO_ROOM.test(message);
    return { reason: UNSCHEDULABLE, message, isFinal: false, lacksRoom, advice: adviceForNode(message, pod) };
  }
  const containers: readonly V1ContainerStatus[] = [
    ...(status?.initContainerStatuses ?? []),
    ...(status?.containerStatuses ?? []),
  ];
  for (const { name, state } of containers) {
    const { reason = '', message = '' } = state?.waiting ?? {};
    if (IMAGE_REASONS.includes(reason)) {
      const image = imageOf([...(spec?.initContainers ?? []), ...(spec?.containers ?? [])], name);
      return { reason, message: `the image ${image} cannot be pulled`, isFinal: true, advice: IMAGE_ADVICE };
    }
    if (CONFIG_REASONS.includes(reason))
      return { reason, message, isFinal: true, advice: `${eventsOf(pod)} shows what it refers to` };
  }
  return undefined;
}

/** How a failed pod ended; `lastWords` may tell more than its exit code. */
export function podEnding(pod: V1Pod): PodEnding {
  const { status } = pod;
  const failed = containersOf(pod).find(({ state }) => (state?.terminated?.exitCode ?? 0) !== 0);
  const ended = failed?.state?.terminated;
  if (ended === undefined) {
    const reason = [status?.reason, status?.message].filter((text) => text).join(': ');
    return {
      exitCode: undefined,
      reason: reason === '' ? 'ended without a reason' : clean(reason),
      container: undefined,
    };
  }
  const { exitCode, reason } = ended;
  const words = firstLine(ended.message ?? '');
  const how =
    reason === 'OOMKilled'
      ? 'ran out of memory (OOMKilled): give trainers more with --set TRAINER_MEMORY=4Gi'
      : exitCode === KILLED
        ? 'was killed (SIGKILL)'
        : `ended with exit code ${exitCode}`;
  const lost = status?.conditions?.find(
    ({ type, status: is }) => type === 'DisruptionTarget' && is === 'True',
  );
  const why = lost === undefined ? how : `${how}: ${lost.message ?? lost.reason ?? 'the node went away'}`;
  return {
    exitCode,
    reason: clean(words === '' || reason === 'OOMKilled' ? why : `${why}: ${words}`),
    container: failed?.name,
  };
}

/** Exit codes whose meaning the run's own exit code keeps. */
const PASSED_ON: readonly number[] = [ExitCode.usage, ExitCode.data, ExitCode.threshold];

/** The run's exit code for a stage that ended with this one. */
export function passedOn(exitCode: number | undefined): { readonly exitCode?: ExitCode } {
  return PASSED_ON.includes(exitCode ?? -1) ? { exitCode: exitCode as ExitCode } : {};
}

/** The result that a container left, as JSON; undefined for anything else, and for one that was shortened to fit. */
export function leftResult(pod: V1Pod, container: string): Readonly<Record<string, unknown>> | undefined {
  const own = containersOf(pod).find(({ name }) => name === container);
  const result = parseObject(own?.state?.terminated?.message ?? '');
  return result?.shortened === true ? undefined : result;
}

/** A line that is one JSON object. */
export function parseObject(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function adviceForNode(message: string, pod: V1Pod): string {
  const volumes = pod.spec?.volumes ?? [];
  const claim = volumes.find(({ persistentVolumeClaim }) => persistentVolumeClaim)?.persistentVolumeClaim;
  const name = claim?.claimName ?? 'fedbatch';
  if (/unbound immediate PersistentVolumeClaims/.test(message))
    return (
      `${kubectlFor(pod, `describe pvc ${name}`)} says what it waits for; where its class offers no ReadWriteMany, ` +
      `${kubectlFor(pod, `delete pvc ${name}`)} and the same command with the --storage-class of one that does`
    );
  if (/persistentvolumeclaim .* is being deleted/.test(message))
    return `wait until ${kubectlFor(pod, `get pvc ${name}`)} finds it no longer, and make it again`;
  if (/persistentvolumeclaim .* not found/.test(message))
    return 'make the claim: npx fedbatch k8s render pvc | kubectl apply -f -';
  if (/nvidia\.com\/gpu/.test(message))
    return 'no node has a free GPU: run without --gpu, or add nodes with the NVIDIA device plugin';
  return 'add nodes, or ask for less with --set TRAINER_CPU=… and TRAINER_MEMORY=…';
}

const imageOf = (containers: readonly V1Container[], name: string): string =>
  containers.find((each) => each.name === name)?.image ?? '';

const firstLine = (text: string): string => {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  // What fell back to the log is JSON lines; the program's own last words are one sentence.
  const told = lines.map((line) => parseObject(line)?.msg).filter((each) => typeof each === 'string');
  return String(told.at(-1) ?? lines[0] ?? '').replace(/^error: /, '');
};

const clean = (text: string): string => text.trim().replace(/\.$/, '');
