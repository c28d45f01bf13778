/** What came of a round's trainers: who reported what, who is missing and why. */
import type { V1Pod } from '@kubernetes/client-node';
import { StageError, ThresholdError } from '../../lib/core/errors.js';
import { type MissingClient, requireQuorum } from '../../lib/federation/participation.js';
import { type TrainResult, trainResultSchema } from '../../lib/formats/results.js';
import type { TrainTask } from '../../pipeline/runner.js';
import { readResult } from './job-result.js';
import { NOT_STARTED_ANNOTATION, OTHER_INDEXES } from './names.js';
import { type PodEnding, parseObject, passedOn, podEnding } from './pod-status.js';
import { indexOf, nameOf } from './types.js';
import { type EndedJob, notStartedFor, type WaitContext } from './wait-for-job.js';

/** What one client reports. */
type ClientReport = Omit<TrainResult, 'round'>;

/** A round's training. */
export interface Trained {
  readonly reported: readonly ClientReport[];
  readonly missing: readonly MissingClient[];
}

/** The container of the trainers' template. */
const CONTAINER = 'trainer';

/**
 * Reads the results of the pods.
 *
 * @throws {StageError} when a client fails and the task has no quorum: all have to report then
 * @throws {ThresholdError} when so many are missing that the quorum is not reached
 */
export async function readTrained(ended: EndedJob, task: TrainTask, context: WaitContext): Promise<Trained> {
  const { pods, state, job, stuck } = ended;
  const { round, clients, quorum } = task;
  const reported: ClientReport[] = [];
  const missing: (MissingClient & { readonly ending?: PodEnding })[] = [];
  for (const [index, client] of clients.entries()) {
    const own = pods.filter((pod) => indexOf(pod) === index);
    const good = own.find(({ status }) => status?.phase === 'Succeeded');
    if (good !== undefined) {
      const { round: _, ...report } = await readResult(
        good,
        { container: CONTAINER, schema: trainResultSchema },
        context,
      );
      reported.push({ ...report, client });
    } else missing.push({ client, ...whyMissing({ own, state, job, index }) });
  }
  const next =
    stuck === undefined
      ? ''
      : ` The Job ${nameOf(job)} and what it has done stay; the same command goes on with it. Next: ${stuck.advice}.`;
  // A Job that fails by one client ends the others: the cause is told, and not what follows from it.
  const first =
    missing.find(({ reason }) => stuck && reason === notStartedFor(stuck)) ??
    missing.find(({ ending }) => ending !== undefined) ??
    missing[0];
  if (quorum === undefined && first !== undefined) {
    const { client, reason, ending } = first;
    throw new StageError(`train client ${client}`, `${reason}.${next}`, {
      client,
      ...passedOn(ending?.exitCode),
    });
  }
  const named = missing.map(({ client, reason }) => ({ client, reason }));
  try {
    requireQuorum({ round, selected: clients, missing: named, quorum: quorum ?? clients.length });
  } catch (error) {
    if (!(error instanceof ThresholdError) || next === '') throw error;
    throw new ThresholdError(`${error.message}${next}`);
  }
  return { reported, missing: named };
}

function whyMissing({
  own,
  state,
  job: { metadata, spec },
  index,
}: Pick<EndedJob, 'state' | 'job'> & { readonly own: readonly V1Pod[]; readonly index: number }): {
  readonly reason: string;
  readonly ending?: PodEnding;
} {
  const notStarted = parseObject(metadata?.annotations?.[NOT_STARTED_ANNOTATION] ?? '') ?? {};
  if (notStarted[index] !== undefined) return { reason: String(notStarted[index]) };
  const failed = own.filter(({ status }) => status?.phase === 'Failed').at(-1);
  if (failed !== undefined) {
    const ending = podEnding(failed);
    return { reason: ending.reason, ending };
  }
  if (notStarted[OTHER_INDEXES] !== undefined) return { reason: String(notStarted[OTHER_INDEXES]) };
  if (state.kind === 'failed' && state.reason === 'DeadlineExceeded') {
    return { reason: `late: not done within ${spec?.activeDeadlineSeconds} s` };
  }
  return { reason: 'not started: the Job had failed before' };
}
