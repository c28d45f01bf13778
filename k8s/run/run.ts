/** `fedbatch k8s run`: one run on a cluster from its settings to its result, the round loop of the pipeline over Jobs. */
import { InterruptedError } from '../../lib/federation/errors.js';
import type { Quorum } from '../../lib/federation/participation.js';
import type { RunSettings } from '../../lib/formats/run-record.js';
import type { Reporter } from '../../lib/observability/events.js';
import { endingOf } from '../../pipeline/ending.js';
import type { Tolerance } from '../../pipeline/local-run.js';
import { planPhrases } from '../../pipeline/plan-phrases.js';
import { type FederationPlan, federatedAveraging } from '../../pipeline/round-loop.js';
import { runId } from '../../pipeline/settings.js';
import { createStageClock, type StageClock, timedRunner } from '../../pipeline/stage-clock.js';
import type { RunResult } from '../../pipeline/summary.js';
import { toldRunner } from '../../pipeline/told-rounds.js';
import type { Values } from '../placeholders.js';
import { ensureClaim } from './claim.js';
import { clusterApi } from './cluster-api.js';
import { type Destination, findCluster } from './connect.js';
import { deleteRun, forgetStages } from './delete.js';
import { createKubeRunner, type KubeRun } from './kube-runner.js';
import { runName } from './names.js';
import { requirePermissions } from './permissions.js';
import { stageJobs } from './stage-jobs.js';
import { startRun } from './start.js';

/** A run as asked for. */
export interface KubeRunOptions {
  readonly settings: RunSettings;
  readonly destination: Destination;
  readonly values: Values;
  readonly queue?: string | undefined;
  /** Directory of the run on the claim; by default `runs/<run id>`. */
  readonly volume?: string | undefined;
  readonly threads: number;
  readonly fresh: boolean;
  readonly quorum?: Quorum | undefined;
  readonly tolerance: Tolerance;
  readonly scheduleTimeoutMs: number;
  /** Show the logs of all pods. */
  readonly isVerbose: boolean;
  /** Delete the run's Jobs once it is done. */
  readonly cleansUp: boolean;
}

/** Where the claim lies in the containers. */
const MOUNT = '/mnt';

/** Runs the job, or what is left of it. */
export async function runOnCluster(
  options: KubeRunOptions,
  { reporter, signal }: { readonly reporter: Reporter; readonly signal: AbortSignal },
): Promise<RunResult> {
  const { settings, values, tolerance, quorum, threads, queue } = options;
  const connection = await findCluster(options.destination);
  const api = await clusterApi(connection, { signal, reporter });
  await requirePermissions(api);
  const id = runId(settings);
  const run = runName(id);
  const volume = options.volume ?? `runs/${id}`;
  const plan = {
    ...{ run, id, settings, values, threads, queue, namespace: api.namespace },
    ...{
      directory: `${MOUNT}/${volume}`,
      retries: tolerance.retries,
      deadlineSeconds: tolerance.deadlineSeconds,
    },
  };
  const context = {
    ...{ api, reporter, signal },
    ...{ scheduleTimeoutMs: options.scheduleTimeoutMs, isVerbose: options.isVerbose },
  };
  reporter.info(opening(run, options));
  try {
    const claim = await ensureClaim(values, context);
    const clock = createStageClock();
    const jobs = stageJobs(plan);
    const { retries, deadlineSeconds } = tolerance;
    const facts = { id, settings, threads, quorum, retries, deadlineSeconds };
    const opened = await clock.time('split', () => startRun(jobs.start(facts, options), context));
    if (!opened.resumed) await forgetStages(run, context);
    const kube = { ...context, plan, jobs, opened };
    const loop = { ...settings.federation, seed: settings.seed, quorum };
    const result = await runRounds(kube, { plan: loop, clock, volume: `${claim}:${volume}` });
    if (options.cleansUp) await deleteRun(run, context);
    return result;
  } catch (error) {
    if (!(error instanceof InterruptedError) && !signal.aborted) throw error;
    throw new InterruptedError(
      `Interrupted. What runs in the cluster goes on; the same command waits for it again, and fedbatch k8s delete --run ${run} ends it.`,
      { cause: error },
    );
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
  const lastRound = await clock.time('evaluate', () => runner.conclude({ ...so, seconds: clock.seconds() }));
  return { ...so, seconds: clock.seconds(), lastRound };
}

function opening(run: string, { settings, destination }: KubeRunOptions): string {
  const where = destination.namespace === undefined ? '' : ` in ${destination.namespace}`;
  return `Run ${run}${where}: ${planPhrases(settings).join(', ')}`;
}
