/** The first Job of a run: opens the run's directory on the volume, splits, and tells which rounds are done. */
import { z } from 'zod';
import { roundRecordSchema } from '../../lib/formats/run-record.js';
import { formatSeconds } from '../../lib/observability/format.js';
import { count, tell } from '../../pipeline/local-run.js';
import type { FinishedRound } from '../../pipeline/record/open.js';
import { ensureJob } from './ensure-job.js';
import { podOfJob, readResult } from './job-result.js';
import { jobSeconds } from './job-status.js';
import { type PlannedJob, recorderName } from './stage-jobs.js';
import { type WaitContext, waitForJob } from './wait-for-job.js';

/** What the volume holds of the run. */
export interface OpenedVolume {
  readonly resumed: boolean;
  readonly initial?: string | undefined;
  readonly rounds: readonly FinishedRound[];
}

const { parent, missing, rejected, aggregate, evaluation, round } = roundRecordSchema.shape;

const openedSchema = z.object({
  resumed: z.boolean(),
  initial: parent.optional(),
  rounds: z.array(
    z.object({
      ...{ round, parent, missing, rejected, selected: parent },
      ...{ aggregate: aggregate.unwrap(), evaluation: evaluation.unwrap() },
    }),
  ),
});

const splitSchema = z.object({
  shards: z.int(),
  examples: z.int(),
  test: z.int(),
  skipped: z.boolean(),
});

/** Runs the Job; what it finds decides what is left to do. */
export async function startRun(planned: PlannedJob, context: WaitContext): Promise<OpenedVolume> {
  const { job } = await ensureJob(planned, context);
  const ended = await waitForJob({ job, title: 'split' }, context);
  const pod = podOfJob(ended, 'split');
  const opened = await readResult(pod, { container: recorderName('open'), schema: openedSchema }, context);
  const { shards, examples, test, skipped } = await readResult(
    pod,
    { container: 'splitter', schema: splitSchema },
    context,
  );
  const took = skipped ? 'done before: skipped' : formatSeconds(jobSeconds(ended.job));
  tell(
    context,
    { stage: 'split' },
    `${count(shards, 'shard')}, ${examples} examples, ${test} to test on  ${took}`,
  );
  return opened;
}
