/** The first Job of a run: opens the run's directory on the volume, splits, and tells which rounds are done. */
import { type Opened, openedSchema, splitResultSchema } from '../../lib/formats/results.js';
import { formatSeconds } from '../../lib/observability/format.js';
import { count, tell } from '../../pipeline/rounds/telling.js';
import { ensureJob } from './ensure-job.js';
import { podOfJob, readResult } from './job-result.js';
import { jobSeconds } from './job-status.js';
import { type PlannedJob, recorderName } from './stage-jobs.js';
import { type WaitContext, waitForJob } from './wait-for-job.js';

/** Runs the Job; what it finds decides what is left to do. */
export async function startRun(planned: PlannedJob, context: WaitContext): Promise<Opened> {
  const { job } = await ensureJob(planned, context);
  const ended = await waitForJob({ job, title: 'split' }, context);
  const pod = podOfJob(ended, 'split');
  const opened = await readResult(pod, { container: recorderName('open'), schema: openedSchema }, context);
  const { shards, examples, test, skipped } = await readResult(
    pod,
    { container: 'splitter', schema: splitResultSchema },
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
