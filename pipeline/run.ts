/** One run from its settings to its result: the volume, the split, the rounds, the tests of the clients' models. */

import { resolve } from 'node:path';
import { DataError, InterruptedError } from '../lib/core/errors.js';
import type { Threshold } from '../lib/federation/metrics.js';
import { selectedCount } from '../lib/federation/participation.js';
import type { Quorum } from '../lib/federation/quorum.js';
import { sha256OfDataset } from '../lib/formats/data/dataset-source.js';
import { writeWhile } from '../lib/formats/files/atomic-file.js';
import { isAbsent, sha256OfFile } from '../lib/formats/files/read-file.js';
import { ARCHITECTURE, KERAS_FILE } from '../lib/formats/keras/keras-file.js';
import { readManifest } from '../lib/formats/manifest.js';
import { EVENTS_VERSION } from '../lib/formats/metrics-event.js';
import { runId } from '../lib/formats/runs/find-run.js';
import { RUNS, type VolumePaths, volumePaths } from '../lib/formats/volume.js';
import { DATASET_NAMES, modelFile } from '../lib/settings/parts/data.js';
import type { Naming } from '../lib/settings/setting.js';
import type { RunSettings } from '../lib/settings/table.js';
import { givenLabels, type RunLabels } from '../lib/settings/value-type.js';
import { availableCores } from '../lib/system/hardware.js';
import { readTask } from '../lib/task-file/read-task.js';
import type { WatchContext } from '../observe/open-watchers.js';
import type { Watchers } from '../observe/watcher.js';
import { commandTarget } from './command-target.js';
import { reportStage } from './conclude-stage.js';
import { readPerClient } from './evaluate-stage.js';
import { threadsOf } from './local-run.js';
import { splitStage } from './opening-stages.js';
import { pipedTarget } from './piped/piped-target.js';
import type { TrainingPipe } from './piped/training-pipe.js';
import { requireEngine, requirePossibleSplit } from './preflight.js';
import { goneError, type MetricsFile, openMetrics, recordFailure } from './record/metrics.js';
import { clearRemains, openRunVolume, type RunVolume, recordDataset } from './record/run-volume.js';
import { endingOf } from './rounds/ending.js';
import { federatedAveraging } from './rounds/round-loop.js';
import { failureOf, missedRequirement } from './rounds/run-failure.js';
import type { FederationPlan, Tolerance } from './rounds/runner.js';
import { planPhrases, type RunResult, resultFacts, shortPath, warnOfFigures } from './rounds/summary.js';
import type { StageContext, StageRunner } from './rounds/target.js';
import { count } from './rounds/telling.js';
import { createStageClock, type StageClock, timedRunner, toldRunner } from './rounds/watched-runner.js';
import { type RunBefore, type Simulation, simulation } from './simulation/simulation.js';
import { stageHosts } from './stage-hosts.js';
import { createVolumeRunner, type VolumeRunner } from './volume-runner.js';

/** Workers of a simulation at most, however many are asked for: a slip of the finger must not take the machine down. */
const MAX_WORKERS = 256;

/** A run as asked for. */
interface RunOptions {
  /** The dataset's hash is found here. */
  readonly settings: RunSettings;
  /** Directory of the volume; by default `runs/<run id>` below the working directory. */
  readonly volume?: string;
  /** Trainers side by side at most; by default as many as fit on the cores. */
  readonly jobs?: number;
  /** Threads of each trainer; by default those with which all clients are done soonest. */
  readonly threads?: number;
  /** Start over on a volume that holds a run. */
  readonly fresh: boolean;
  /** What people call the run. */
  readonly labels?: RunLabels | undefined;
  /** Updates that a round needs; without it all selected clients have to report. */
  readonly quorum?: Quorum | undefined;
  readonly tolerance: Tolerance;
  /** The last rounds keep their files, so many; by default all do. */
  readonly keepRounds?: number | undefined;
  /** What messages call a setting. */
  readonly named: Naming;
  /** An accuracy that the run has to reach: what misses it is on record as its failure. */
  readonly minAccuracy?: number | undefined;
  /** A metric that it has to reach, likewise. */
  readonly minMetric?: Threshold | undefined;
  /** Somebody else who trains the clients; by default processes of this machine do. */
  readonly trainers?: TrainingPipe;
  /** Runs the stages' programs; by default processes of this machine do. */
  readonly stages?: StageRunner | undefined;
  /** Opens those who watch it. */
  readonly openWatchers?: (context: WatchContext) => Promise<Watchers>;
  readonly version: string;
}

/** Runs the whole job, or what an earlier run of the same settings left of it. */
export async function runJob(options: RunOptions, context: StageContext): Promise<RunResult> {
  await requireEngine(options.settings.engine, context);
  const settings = await withHashes(options.settings);
  const id = runId(settings);
  const paths = volumePaths(resolve(options.volume ?? `${RUNS}/${id}`));
  if (options.fresh || !(await isSplit(paths, settings))) await requirePossibleSplit(settings);
  const volume = await openRunVolume({
    paths,
    facts: {
      id,
      ...givenLabels(options.labels ?? {}),
      settings,
      threads: threadsOf(settings, options.threads),
      versions: { fedbatch: options.version, node: process.versions.node },
    },
    requiresThreads: options.threads !== undefined,
    named: options.named,
    fresh: options.fresh,
    reporter: context.reporter,
  });
  try {
    const work = () => runOnRecord(volume, { ...options, settings }, context);
    return await writeWhile(volume.requireHeld, work);
  } finally {
    volume.release();
  }
}

/** Runs with the volume's record open: how the run ends is on it, and told by its report. */
async function runOnRecord(
  volume: RunVolume,
  options: RunOptions,
  context: StageContext,
): Promise<RunResult> {
  const { paths } = volume;
  const watchers = await options.openWatchers?.({ paths, reporter: context.reporter });
  const metrics = await openMetrics(paths, { watchers });
  const clock = createStageClock();
  const hosts = stageHosts(paths);
  try {
    const resources = { cores: availableCores(), stages: options.stages ?? hosts.run, metrics, clock };
    return await runOnVolume(volume, { ...options, ...resources }, context);
  } catch (error) {
    const told = context.signal.aborted ? interrupted(paths, context.signal, error) : error;
    if (await isAbsent(paths.run)) {
      await clearRemains(volume);
      throw goneError(paths.root, told);
    }
    await recordFailure({ ...context, metrics }, failureOf(told, clock.failedAt() ?? { stage: 'run' }));
    throw told;
  } finally {
    await hosts.close();
    // A volume that is another run's by now has the report of that one.
    const isHeld = await volume.requireHeld().then(
      () => true,
      () => false,
    );
    if (isHeld && !(await isAbsent(paths.run)))
      await reportStage({ ...context, paths, stages: options.stages });
    await metrics.close();
  }
}

/** Whether an earlier run has split this very dataset there: the splitter has judged it. */
async function isSplit(paths: VolumePaths, { dataset }: RunSettings): Promise<boolean> {
  const manifest = await readManifest(paths.manifest).catch(() => undefined);
  return manifest !== undefined && manifest.dataset.sha256 === dataset.sha256;
}

/** Whoever stops the run may say why. */
function interrupted({ root }: VolumePaths, signal: AbortSignal, cause: unknown): InterruptedError {
  const { message: why } = signal.reason instanceof InterruptedError ? signal.reason : new InterruptedError();
  const message = `${why} What is finished stays in ${shortPath(root)}; the same command resumes from there.`;
  return new InterruptedError(message, { cause });
}

/** What the run notes while it goes on. */
interface Notes {
  readonly metrics: MetricsFile;
  readonly clock: StageClock;
}

async function runOnVolume(
  volume: RunVolume,
  options: RunOptions & Notes & { readonly cores: number },
  context: StageContext,
): Promise<RunResult> {
  const { metrics, clock } = options;
  const { paths } = volume;
  const { threads } = volume.record;
  const { settings, cores, tolerance, quorum } = options;
  const { seed, federation } = settings;
  const { simulate = false } = federation;
  const room = Math.max(1, Math.floor(cores / threads));
  // Trainers of an own process each would take the memory; workers that are asked for share what they have.
  const limit = simulate ? MAX_WORKERS : room;
  const jobs = Math.min(options.jobs ?? room, limit, selectedCount(federation));
  const before = {
    ...context,
    ...{ paths, settings, cores, jobs, threads, metrics, tolerance },
    toldEngines: new Set<string>(),
  };
  const { target, steps } = targetOf(before, options);
  const run = { ...before, target };
  context.reporter.info(opening(volume, { ...options, jobs }));
  warnOfFigures(settings, context.reporter);
  await metrics.append({
    event: 'start',
    schemaVersion: EVENTS_VERSION,
    id: volume.record.id,
    resumed: volume.resumed,
    settings,
    quorum,
    ...tolerance,
    cores,
    jobs,
    threads,
  });

  const data = await clock.time('split', () => splitStage(run));
  requireDataset(settings, data.dataset.sha256);
  await recordDataset(volume, data.dataset.sha256);
  const runner = createVolumeRunner(run, data, { steps, keepRounds: options.keepRounds });
  const plan = { ...federation, seed, quorum };
  const { reporter } = context;
  const result = await runRounds(runner, { plan, clock, reporter }).finally(() => target.close());
  const complete = {
    ...{ ...result, seconds: clock.seconds(), volume: paths.root },
    perClient: federation.clientHoldout === undefined ? undefined : await readPerClient(paths.accuracy),
  };
  await metrics.append({ event: 'end', ...resultFacts(complete) });
  const missed = missedRequirement(result.last.evaluation, options);
  if (missed !== undefined) {
    await recordFailure({ ...context, metrics }, failureOf(missed, { stage: 'evaluate' }));
  }
  return complete;
}

/** What runs the stages, and how rounds are trained where that is another way. */
function targetOf(
  run: RunBefore,
  { trainers, stages }: Pick<RunOptions, 'trainers' | 'stages'>,
): Partial<Simulation> & Pick<Simulation, 'target'> {
  if (run.settings.federation.simulate) return simulation(run, stages);
  return { target: trainers === undefined ? commandTarget(run, stages) : pipedTarget(run, trainers, stages) };
}

async function runRounds(
  runner: VolumeRunner,
  {
    plan,
    clock,
    reporter,
  }: { readonly plan: FederationPlan; readonly clock: StageClock } & Pick<StageContext, 'reporter'>,
) {
  const outcomes = await federatedAveraging(
    plan,
    toldRunner(timedRunner(runner, clock), { rules: plan, reporter }),
  );
  const ending = endingOf(outcomes, plan);
  const results = { last: ending.last.global, best: ending.best.global };
  return { ...ending, lastRound: await clock.time('evaluate', () => runner.conclude(results)) };
}

/** Files are hashed before anything else is done, so that one that has changed since is not mistaken for the same. */
export async function withHashes(settings: RunSettings): Promise<RunSettings> {
  return withInitHash(await withDatasetHash(settings));
}

async function withDatasetHash(settings: RunSettings): Promise<RunSettings> {
  const { name } = settings.dataset;
  if (DATASET_NAMES.includes(name)) return settings;
  const what = `a dataset (a file or folder, or one of the names ${DATASET_NAMES.join(', ')})`;
  const sha256 = await sha256OfDataset(name, what);
  requireDataset(settings, sha256);
  return { ...settings, dataset: { ...settings.dataset, sha256 } };
}

async function withInitHash(settings: RunSettings): Promise<RunSettings> {
  const file = modelFile(settings.model);
  if (file === undefined) return settings;
  const { init, task, sha256: asked } = settings.model;
  const [what, sha256] =
    task === undefined
      ? ['model', await sha256OfFile(file, init === undefined ? ARCHITECTURE : KERAS_FILE)]
      : ['task', (await readTask(task)).sha256];
  if (asked !== undefined && asked !== sha256) {
    throw new DataError({ file, expected: `the ${what} with sha256 ${asked}`, found: `sha256 ${sha256}` });
  }
  return { ...settings, model: { ...settings.model, sha256 } };
}

/** @throws {DataError} when a run is to be repeated on other data than it had */
function requireDataset({ dataset: { name, sha256: asked } }: RunSettings, sha256: string): void {
  if (asked === undefined || asked === sha256) return;
  throw new DataError({ file: name, expected: `the data with sha256 ${asked}`, found: `sha256 ${sha256}` });
}

function opening(
  volume: RunVolume,
  options: RunOptions & { readonly cores: number; readonly jobs: number },
): string {
  const { settings, trainers, cores, jobs } = options;
  const threads = count(volume.record.threads, 'thread');
  const where = trainers
    ? `trained elsewhere with ${threads} each`
    : `${jobs} at a time with ${threads} on ${count(cores, 'core')}`;
  const plan = [...planPhrases(settings), where];
  const verb = volume.resumed ? 'Going on with' : 'Starting';
  return `${verb} ${shortPath(volume.paths.root)}: ${plan.join(', ')}`;
}
