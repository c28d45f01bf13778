/** What came of a round's trainers: who reported what, who is missing and why, and whether the round can go on. */
import { StageError, ThresholdError } from '../../lib/core/errors.js';
import { type MissingClient, requireQuorum } from '../../lib/federation/quorum.js';
import type { TrainResult } from '../../lib/formats/stage-results.js';
import type { TrainTask } from '../../pipeline/rounds/runner.js';
import type { LostCommand } from '../../pipeline/rounds/target.js';
import { nameOf } from './job-status.js';
import type { JobExecution } from './job-target.js';
import { notStartedFor } from './wait-for-job.js';

/** What one client reports. */
type ClientReport = Omit<TrainResult, 'round'>;

/** A round's training. */
export interface Trained {
  readonly reported: readonly ClientReport[];
  readonly missing: readonly MissingClient[];
}

/**
 * Sorts the clients by how their training ended.
 *
 * @throws {StageError} when a client fails and the task has no quorum: all have to report then
 * @throws {ThresholdError} when so many are missing that the quorum is not reached
 */
export function settleTraining(
  { endings, job, stuck }: JobExecution<TrainResult>,
  { round, clients, quorum }: TrainTask,
): Trained {
  const reported: ClientReport[] = [];
  const lost: (LostCommand & { readonly client: number })[] = [];
  for (const ending of endings) {
    const client = ending.command.client ?? 0;
    if ('result' in ending) {
      const { round: _, ...report } = ending.result;
      reported.push({ ...report, client });
    } else lost.push({ ...ending, client });
  }
  const next =
    stuck === undefined
      ? ''
      : ` The Job ${nameOf(job)} and what it has done stay; the same command resumes it. Next: ${stuck.advice}.`;
  // A Job that fails by one client ends the others: the cause is told, and not what follows from it.
  const first =
    lost.find(({ reason }) => stuck && reason === notStartedFor(stuck)) ??
    lost.find(({ error }) => error !== undefined) ??
    lost[0];
  if (quorum === undefined && first !== undefined) {
    const { client, reason, error } = first;
    throw new StageError(`train client ${client}`, `${reason}.${next}`, {
      client,
      ...(error === undefined ? {} : { exitCode: error.exitCode }),
    });
  }
  const missing = lost.map(({ client, reason }) => ({ client, reason }));
  try {
    requireQuorum({ round, selected: clients, missing, quorum: quorum ?? clients.length });
  } catch (error) {
    if (!(error instanceof ThresholdError) || next === '') throw error;
    throw new ThresholdError(`${error.message}${next}`);
  }
  return { reported, missing };
}
