/** One run from its settings to its result: the volume, the split, the rounds, the tests of the clients' models. */
import { resolve } from 'node:path';
import { InterruptedError } from '../lib/federation/errors.js';
import { describeLocalWork } from '../lib/federation/local-work.js';
import { type Quorum, selectedCount } from '../lib/federation/participation.js';
import { sha256OfDataset } from '../lib/formats/given-shards.js';
import type { RunSettings } from '../lib/formats/run-record.js';
import { volumePaths } from '../lib/formats/volume.js';
import { availableCores } from '../lib/system/cores.js';
import { planThreads } from './cores.js';
import { endingOf } from './ending.js';
import { count, type Tolerance } from './local-run.js';
import { createLocalRunner } from './local-runner.js';
import { openMetrics } from './metrics.js';
import { reportStage } from './report-stage.js';
import { requireEngine } from './require-engine.js';
import { federatedAveraging } from './round-loop.js';
import { openRunVolume, type RunVolume, recordDataset } from './run-volume.js';
import { DATASET_NAMES, runId } from './settings.js';
import { splitStage } from './split-stage.js';
import { createStageClock, timedRunner } from './stage-clock.js';
import type { StageContext } from './stage-process.js';
import { type RunResult, resultFacts, shortPath } from './summary.js';
import { localWork } from './training-task.js';

/** A run as asked for. */
export interface RunOptions {
  /** The dataset's hash is found here. */
  readonly settings: RunSettings;
  /** Directory of the volume; by default `runs/<run id>` below the working directory. */
  readonly volume?: string;
  /** Trainers side by side at most; by default as many as the cores have room for. */
  readonly jobs?: number;
  /** Threads of each trainer; by default those with which all clients are done soonest. */
  readonly threads?: number;
  /** Start over on a volume that holds a run. */
  readonly fresh: boolean;
  /** Updates that a round needs; without it all selected clients have to report. */
  readonly quorum?: Quorum | undefined;
  readonly tolerance: Tolerance;
  readonly version: string;
}

/** Runs the whole job, or what an earlier run of the same settings left of it. */
export async function runJob(options: RunOptions, context: StageContext): Promise<RunResult> {
  await requireEngine(options.settings.engine, context);
  const settings = await withDatasetHash(options.settings);
  const id = runId(settings);
  const cores = availableCores();
  const clients = selectedCount(settings.federation);
  const volume = await openRunVolume({
    paths: volumePaths(resolve(options.volume ?? `runs/${id}`)),
    facts: {
      id,
      settings,
      threads: options.threads ?? planThreads({ clients, cores }),
      versions: { fedbatch: options.version, node: process.versions.node },
    },
    requiresThreads: options.threads !== undefined,
    fresh: options.fresh,
    reporter: context.reporter,
  });
  try {
    return await runOnVolume(volume, { ...options, settings, cores }, context);
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    throw new InterruptedError(
      `Interrupted. What is finished stays in ${shortPath(volume.paths.root)}; the same command goes on from there.`,
      { cause: error },
    );
  } finally {
    await reportStage({ ...context, paths: volume.paths });
    volume.release();
  }
}

async function runOnVolume(
  volume: RunVolume,
  options: RunOptions & { readonly cores: number },
  context: StageContext,
): Promise<RunResult> {
  const { paths } = volume;
  const { threads } = volume.record;
  const { settings, cores, tolerance, quorum } = options;
  const { seed, federation } = settings;
  const room = Math.max(1, Math.floor(cores / threads));
  const jobs = Math.min(options.jobs ?? room, room, selectedCount(federation));
  const metrics = await openMetrics(paths.metrics);
  const clock = createStageClock();
  const run = {
    ...context,
    ...{ paths, settings, cores, jobs, threads, metrics, tolerance },
    toldEngines: new Set<string>(),
  };
  context.reporter.info(opening(volume, { settings, cores, jobs }));
  await metrics.append({
    event: 'start',
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
  await recordDataset(volume, data.dataset.sha256);
  const runner = createLocalRunner(run, data);
  const plan = { ...federation, seed, quorum };
  const outcomes = await federatedAveraging(plan, timedRunner(runner, clock));
  const ending = endingOf(outcomes, federation);
  const lastRound = await clock.time('evaluate', () =>
    runner.conclude({ last: ending.last.global, best: ending.best.global }),
  );
  const result = { ...ending, seconds: clock.seconds(), volume: paths.root, lastRound };
  await metrics.append({ event: 'end', ...resultFacts(result) });
  return result;
}

/** A file is hashed before anything else is done, so that one that has changed since is not mistaken for the same. */
async function withDatasetHash(settings: RunSettings): Promise<RunSettings> {
  const { name } = settings.dataset;
  if (DATASET_NAMES.includes(name)) return settings;
  const what = `a dataset (an npz file, or one of the names ${DATASET_NAMES.join(', ')})`;
  return { ...settings, dataset: { name, sha256: await sha256OfDataset(name, what) } };
}

function opening(
  volume: RunVolume,
  { settings, cores, jobs }: Pick<RunOptions, 'settings'> & { readonly cores: number; readonly jobs: number },
): string {
  const { clients, rounds } = settings.federation;
  const selected = selectedCount(settings.federation);
  const plan = [
    count(clients, 'client'),
    ...(selected < clients ? [`${selected} of them a round`] : []),
    count(rounds, 'round'),
    describeLocalWork(localWork(settings.training)),
    `batch ${settings.training.batch}`,
    `model ${settings.model.name}`,
    `seed ${settings.seed}`,
    `${jobs} at a time with ${count(volume.record.threads, 'thread')} on ${count(cores, 'core')}`,
  ];
  const verb = volume.resumed ? 'Going on with' : 'Starting';
  return `${verb} ${shortPath(volume.paths.root)}: ${plan.join(', ')}`;
}
