/** `fedbatch k8s run`: one run on a cluster from its settings to its result, the round loop of the pipeline over Jobs. */

import { InterruptedError, isFedbatchError, messageOf, StageError } from '../../lib/core/errors.js';
import type { Threshold } from '../../lib/federation/metrics.js';
import type { Quorum } from '../../lib/federation/quorum.js';
import { type Opened, openedSchema, type RunFailure } from '../../lib/formats/run-results.js';
import { runId } from '../../lib/formats/runs/find-run.js';
import { splitResultSchema } from '../../lib/formats/stage-results.js';
import { RUNS } from '../../lib/formats/volume.js';
import type { Reporter } from '../../lib/observability/events.js';
import { formatSeconds } from '../../lib/observability/format.js';
import type { RunSettings } from '../../lib/settings/table.js';
import { givenLabels } from '../../lib/settings/value-type.js';
import { forMany } from '../../lib/system/abort.js';
import { endingOf } from '../../pipeline/rounds/ending.js';
import { federatedAveraging } from '../../pipeline/rounds/round-loop.js';
import { failureOf } from '../../pipeline/rounds/run-failure.js';
import type { FederationPlan, Tolerance } from '../../pipeline/rounds/runner.js';
import { planPhrases, type RunResult, warnOfFigures } from '../../pipeline/rounds/summary.js';
import { count, tell } from '../../pipeline/rounds/telling.js';
import {
  createStageClock,
  type StageClock,
  timedRunner,
  toldRunner,
} from '../../pipeline/rounds/watched-runner.js';
import { isForbidden } from '../connection/api-errors.js';
import { type Connection, type Destination, findCluster } from '../connection/connect.js';
import type { Values } from '../manifests/placeholders.js';
import { MOUNT } from '../manifests/sight.js';
import { clusterApi } from './cluster-api.js';
import { deleteRun, ensureJob, forgetStages, removeJob } from './ensure-job.js';
import { podOfJob, readResult } from './job-result.js';
import { jobSeconds, nameOf } from './job-status.js';
import { runJobToEnd } from './job-target.js';
import { createKubeRunner, type KubeRun } from './kube-runner.js';
import { runName } from './names.js';
import { ensureClaim, requirePermissions } from './prerequisites.js';
import { type PlannedJob, recorderName, type StageJobs, stageJobs } from './stage-jobs.js';
import { interruptedRun, type WaitContext, waitForJob } from './wait-for-job.js';

/** A run as asked for. */
export interface KubeRunOptions {
  readonly settings: RunSettings;
  readonly destination: Destination;
  readonly values: Values;
  readonly queue?: string | undefined;
  /** What lists of runs call it. */
  readonly name?: string | undefined;
  /** Arguments by which the recorder opens those who watch the run. */
  readonly watching?: readonly string[] | undefined;
  /** Directory of the run on the claim; by default `runs/<run id>`. */
  readonly volume?: string | undefined;
  readonly threads: number;
  /** Clients that a pod trains in turn; 1 by default. */
  readonly clientsPerPod?: number | undefined;
  /** Whether a pod sees of the claim what it needs, and nothing else. */
  readonly isolates: boolean;
  readonly fresh: boolean;
  readonly quorum?: Quorum | undefined;
  readonly tolerance: Tolerance;
  /** An accuracy that the run has to reach: what misses it is on record as its failure. */
  readonly minAccuracy?: number | undefined;
  /** A metric that it has to reach, likewise. */
  readonly minMetric?: Threshold | undefined;
  readonly scheduleTimeoutMs: number;
  /** Show the logs of all pods. */
  readonly isVerbose: boolean;
  /** Delete the run's Jobs once it is done. */
  readonly cleansUp: boolean;
  /** The names of runs that share a sweep, whose pods make room for each other. */
  readonly siblings?: ReadonlySet<string> | undefined;
}

/** Runs the job, or what is left of it. */
export async function runOnCluster(
  options: KubeRunOptions,
  { reporter, signal }: { readonly reporter: Reporter; readonly signal: AbortSignal },
): Promise<RunResult> {
  const { settings, values, tolerance, quorum, threads, isolates, queue, watching, clientsPerPod } = options;
  const connection = await findCluster(options.destination);
  const api = await clusterApi(connection, { signal, reporter });
  // A trial of a sweep may be given up, and its Jobs be deleted then.
  await requirePermissions(api, { cleansUp: options.cleansUp || options.siblings !== undefined });
  const id = runId(settings);
  const run = runName(id);
  const volume = options.volume ?? `${RUNS}/${id}`;
  const plan = {
    ...{
      run,
      id,
      settings,
      values,
      threads,
      isolates,
      queue,
      watching,
      clientsPerPod,
      namespace: api.namespace,
    },
    directory: `${MOUNT}/${volume}`,
  };
  const context = {
    ...{ api, reporter, signal },
    ...{ scheduleTimeoutMs: options.scheduleTimeoutMs, isVerbose: options.isVerbose },
    siblings: options.siblings,
  };
  reporter.info(opening(run, options));
  warnOfFigures(settings, reporter);
  const clock = createStageClock();
  const jobs = stageJobs(plan);
  let isOpen = false;
  try {
    const claim = await ensureClaim(values, context);
    const { retries, deadlineSeconds } = tolerance;
    const { name } = options;
    const facts = { id, ...givenLabels({ name }), settings, threads, quorum, retries, deadlineSeconds };
    const opened = await clock.time('split', () =>
      startRun(jobs.start(facts, options), { ...context, recording: jobs.failed({}) }),
    );
    isOpen = true;
    if (!opened.resumed) await forgetStages(run, context);
    const kube = { ...context, plan, jobs, opened, tolerance, required: options };
    const loop = { ...settings.federation, seed: settings.seed, quorum };
    const result = await runRounds(kube, { plan: loop, clock, volume: `${claim}:${volume}` });
    if (options.cleansUp) await deleteRun(run, context);
    return result;
  } catch (error) {
    const isInterrupted = error instanceof InterruptedError || signal.aborted;
    const told = isInterrupted ? interruptedRun(run, error) : error;
    if (isOpen || isOfSplitter(error)) {
      const failure = failureOf(told, clock.failedAt() ?? { stage: 'run' });
      const facts = { settings, failure };
      if (isInterrupted) await leaveRecording(jobs.failed(facts), { ...context, connection });
      else await recordOnVolume(facts, { ...context, jobs, error });
    }
    throw told;
  }
}

/** How long an interrupted command speaks to the cluster: it has to end soon. */
const LAST_WORDS_MS = 4_000;

/** Leaves the recorder's Job to the cluster: what spoke to it before has ended with the signal of the run. */
async function leaveRecording(
  planned: PlannedJob,
  { connection, reporter, ...others }: WaitContext & { readonly connection: Connection },
): Promise<void> {
  const signal = forMany(AbortSignal.timeout(LAST_WORDS_MS));
  try {
    const api = await clusterApi(connection, { signal, reporter });
    await ensureJob(planned, { ...others, api, signal, reporter });
  } catch (error) {
    reporter.warn(`the interruption is not on the run's record on the volume: ${messageOf(error)}`);
  }
}

/** How long the failure of a run may take to get onto its record. */
const RECORD_MS = 60_000;

/** The first Job splits last: the volume is open then. */
const isOfSplitter = (error: unknown) => error instanceof StageError && error.stage.endsWith(' (splitter)');

/** Has a Job put the failure on the volume's record; where the cluster does not run it soon, that is said. */
async function recordOnVolume(
  facts: { readonly settings: RunSettings; readonly failure: RunFailure },
  { jobs, error, ...context }: WaitContext & { readonly jobs: StageJobs; readonly error: unknown },
): Promise<void> {
  // The server was waited for already, or would refuse this as well.
  if ((error instanceof StageError && error.stage === 'k8s') || isForbidden(error as Error)) return;
  const tooLong = AbortSignal.timeout(RECORD_MS);
  const signal = AbortSignal.any([context.signal, tooLong]);
  try {
    const { job, ...ended } = await runJobToEnd(
      jobs.failed(facts),
      { title: 'record' },
      { ...context, signal },
    );
    podOfJob({ job, ...ended }, 'record');
    await removeJob(job, context);
  } catch (reason) {
    if (!isFedbatchError(reason)) throw reason;
    const why = tooLong.aborted
      ? `the cluster has not run its Job within ${RECORD_MS / 1000} s, and may do so later.`
      : reason.message;
    context.reporter.warn(`the failure is not on the run's record on the volume: ${why}`);
  }
}

async function runRounds(
  kube: KubeRun,
  {
    plan,
    clock,
    volume,
  }: { readonly plan: FederationPlan; readonly clock: StageClock; readonly volume: string },
): Promise<RunResult> {
  const runner = createKubeRunner(kube);
  const outcomes = await federatedAveraging(
    plan,
    toldRunner(timedRunner(runner, clock), { rules: plan, ...kube }),
  );
  const ending = endingOf(outcomes, plan);
  const so = { ...ending, volume };
  const concluded = await clock.time('evaluate', () => runner.conclude({ ...so, seconds: clock.seconds() }));
  return { ...so, seconds: clock.seconds(), ...concluded };
}

function opening(run: string, { settings, destination }: KubeRunOptions): string {
  const where = destination.namespace === undefined ? '' : ` in ${destination.namespace}`;
  return `Run ${run}${where}: ${planPhrases(settings).join(', ')}`;
}

/**
 * Runs the Job; what it finds decides what is left to do. A failure of before is not put on record any more after it. It
 * looks before it splits: where rounds lie on a volume that was split anew, they are looked at once more.
 */
async function startRun(
  planned: PlannedJob,
  { recording, ...context }: WaitContext & { readonly recording: PlannedJob },
): Promise<Opened> {
  const late = await context.api.findJob(nameOf(recording.job));
  if (late !== undefined) await removeJob(late, context);
  const first = await openAndSplit(planned, context);
  return first.isSplitAnew && first.initial !== undefined ? openAndSplit(planned, context) : first;
}

async function openAndSplit(
  planned: PlannedJob,
  context: WaitContext,
): Promise<Opened & { readonly isSplitAnew: boolean }> {
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
  return { ...opened, isSplitAnew: !skipped };
}
