/** What came of a round's trainers: who reported what, who is missing and why. */
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import type { z } from 'zod';
import { StageError } from '../../lib/federation/errors.js';
import { type MissingClient, requireQuorum } from '../../lib/federation/participation.js';
import type { TrainTask } from '../../pipeline/runner.js';
import { trainResultSchema } from '../../pipeline/train-client.js';
import { readResult } from './job-result.js';
import { type PodEnding, passedOn, podEnding } from './pod-status.js';
import { indexOf } from './types.js';
import type { EndedJob, WaitContext } from './wait-for-job.js';

/** What one client reports. */
export type ClientReport = Omit<z.infer<typeof trainResultSchema>, 'round'>;

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
  const { pods, state, job } = ended;
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
    } else missing.push({ client, ...whyMissing(own, state, job) });
  }
  const [first] = missing;
  if (quorum === undefined && first !== undefined) {
    throw new StageError(
      `train client ${first.client}`,
      `${first.reason}.`,
      passedOn(first.ending?.exitCode),
    );
  }
  const named = missing.map(({ client, reason }) => ({ client, reason }));
  requireQuorum({ round, selected: clients, missing: named, quorum: quorum ?? clients.length });
  return { reported, missing: named };
}

function whyMissing(
  own: readonly V1Pod[],
  state: EndedJob['state'],
  { spec }: V1Job,
): { readonly reason: string; readonly ending?: PodEnding } {
  const failed = own.filter(({ status }) => status?.phase === 'Failed').at(-1);
  if (failed !== undefined) {
    const ending = podEnding(failed);
    return { reason: ending.reason, ending };
  }
  if (state.kind === 'failed' && state.reason === 'DeadlineExceeded') {
    return { reason: `late: not done within ${spec?.activeDeadlineSeconds} s` };
  }
  return { reason: 'not started: the Job had failed before' };
}
