/** The work of a round where somebody else trains the clients: on other machines that share the volume. */
import { setTimeout as sleep } from 'node:timers/promises';
import { StageError } from '../../lib/core/errors.js';
import type { LocalRun } from '../local-run.js';
import { processWork } from '../process-work.js';
import { holds } from '../round-ledger.js';
import type { RoundWork } from '../round-work.js';
import { stageName } from '../stage-process.js';
import { type ClientTrainer, settleTraining, trainerStage } from '../train-client.js';
import { trainStage } from '../train-stage.js';
import type { TrainingPipe } from './training-pipe.js';

/** How long a file that another machine has written may take to appear: NFS remembers a missing name for 30 s. */
const APPEARS_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 500;

/** Training goes through `pipe`; the other steps are processes of this machine. */
export function pipedWork(run: LocalRun, pipe: TrainingPipe): RoundWork {
  // How many fit beside each other is known to the external trainer: all of a round are given away at once.
  const elsewhere = { ...run, jobs: Number.POSITIVE_INFINITY, cores: Number.POSITIVE_INFINITY };
  return {
    ...processWork(run),
    train: (step) => trainStage(elsewhere, { ...step, trainer: trainThrough(pipe) }),
  };
}

/** A trainer that gives its clients away. */
function trainThrough(pipe: TrainingPipe): ClientTrainer {
  return async (run, task) => {
    const { client } = task;
    const { round } = task.task;
    const command = ['train', ...trainerStage(run, task).arguments, '--log-format', 'json'];
    const ending = await pipe.train({ round, client, command }, run.signal);
    const record = settleTraining(run, task, ending);
    await appears(run, { client, path: run.paths.round(round).update(client), sha256: record.sha256 });
    return record;
  };
}

/** Waits until this machine sees the update that another one says it wrote. */
async function appears(
  { signal }: Pick<LocalRun, 'signal'>,
  {
    client,
    path,
    sha256,
  }: { readonly client: number; readonly path: string; readonly sha256?: string | undefined },
): Promise<void> {
  const until = Date.now() + APPEARS_WITHIN_MS;
  while (!(await holds(path, sha256))) {
    if (Date.now() > until || signal.aborted) {
      throw new StageError(
        stageName({ stage: 'train', client }),
        `its update ${path} was reported and is not to be seen here: is the volume the same on every machine?`,
        { client },
      );
    }
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}
