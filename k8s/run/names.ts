/** How a run's objects are called and labelled in the cluster, so that the same command finds them again. */
import type { Labels } from './job-status.js';

/** Who applies: the field manager of server-side apply, and the value of `app.kubernetes.io/managed-by`. */
export const MANAGER = 'fedbatch';

/** The label that holds a run's name, and those of a round and a stage. */
export const RUN_LABEL = 'fedbatch.io/run';
export const ROUND_LABEL = 'fedbatch.io/round';
export const STAGE_LABEL = 'fedbatch.io/stage';

/** The annotations that tell whether a Job does what is asked for now, and in the pods that are asked for. */
export const WORK_ANNOTATION = 'fedbatch.io/work-sha256';
export const POD_ANNOTATION = 'fedbatch.io/pod-sha256';

/** The annotation that tells why indexes of a Job were given up that had not started, as a JSON object by index. */
export const NOT_STARTED_ANNOTATION = 'fedbatch.io/not-started';
/** In its object: indexes that had no pod. */
export const OTHER_INDEXES = 'others';

/**
 * Of a run's name at most: with `-r0001-aggregate` and the index of a client it has to fit into the 63 characters of a
 * pod's host name.
 */
const MAX_RUN_NAME = 40;

/** What a run's stages are called. */
export type StageLabel = 'start' | 'init' | 'train' | 'aggregate' | 'evaluate' | 'end' | 'failed' | 'each';

/** A run's id as a name of Kubernetes: small letters, digits and dashes; the hash at its end stays. */
export function runName(id: string): string {
  const name = id
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  if (name.length <= MAX_RUN_NAME) return startsWithLetter(name);
  const hash = name.slice(name.lastIndexOf('-'));
  const front = name.slice(0, MAX_RUN_NAME - hash.length).replace(/-$/, '');
  return startsWithLetter(`${front}${hash}`);
}

/** A digit in front is no name for every kind of object. */
const startsWithLetter = (name: string) =>
  /^[a-z]/.test(name) ? name : `r${name}`.slice(0, MAX_RUN_NAME + 1);

/** The name of a stage's Job, e.g. `digits-3x2-1a2b3c4d-r0001-train`. */
export function jobName(run: string, stage: StageLabel, round?: number): string {
  return round === undefined ? `${run}-${stage}` : `${run}-r${String(round).padStart(4, '0')}-${stage}`;
}

/** The labels of a stage's objects. */
export function stageLabels(run: string, stage: StageLabel, round?: number): Labels {
  return {
    'app.kubernetes.io/name': MANAGER,
    'app.kubernetes.io/managed-by': MANAGER,
    [RUN_LABEL]: run,
    [STAGE_LABEL]: stage,
    ...(round === undefined ? {} : { [ROUND_LABEL]: `${round}` }),
  };
}

/** Selects the objects of one run, or of all. */
export function runSelector(run?: string): string {
  return run === undefined ? RUN_LABEL : `${RUN_LABEL}=${run}`;
}
