/** One run from its settings to its result: the volume, the split, the rounds, the tests of the clients' models. */
import { resolve } from 'node:path';
import { InterruptedError } from '../lib/federation/errors.js';
import { describeLocalWork } from '../lib/federation/local-work.js';
import { sha256OfFile } from '../lib/formats/atomic-file.js';
import type { RunSettings } from '../lib/formats/run-record.js';
import { volumePaths } from '../lib/formats/volume.js';
import { availableCores } from '../lib/system/cores.js';
import { planThreads } from './cores.js';
import { count } from './local-run.js';
import { createLocalRunner, type LocalRunner } from './local-runner.js';
import { openMetrics } from './metrics.js';
import { requireEngine } from './require-engine.js';
import { federatedAveraging } from './round-loop.js';
import { openRunVolume, type RunVolume, recordDataset } from './run-volume.js';
import { DATASET_NAMES, runId } from './settings.js';
import { createSimulationRunner } from './simulation/simulation-runner.js';
import { splitStage } from './split-stage.js';
import { createStageClock, type StageClock, timedRunner } from './stage-clock.js';
import type { StageContext } from './stage-process.js';
import { type RunResult, shortPath } from './summary.js';
import { localWork } from './training-task.js';

/** Workers of a simulation at most, however many are asked for: a slip of the finger must not take the machine down. */
const MAX_WORKERS = 256;

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
  readonly version: string;
}

/** Runs the whole job, or what an earlier run of the same settings left of it. */
export async function runJob(options: RunOptions, context: StageContext): Promise<RunResult> {
  await requireEngine(options.settings.engine, context);
  const settings = await withDatasetHash(options.settings);
  const id = runId(settings);
  const cores = availableCores();
  const { clients, simulate = false } = settings.federation;
  const volume = await openRunVolume({
    paths: volumePaths(resolve(options.volume ?? `runs/${id}`)),
    facts: {
      id,
      settings,
      // A pool of workers with a thread each is never idle.
      threads: options.threads ?? (simulate ? 1 : planThreads({ clients, cores })),
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
  const { settings, cores } = options;
  const { clients, rounds, simulate = false } = settings.federation;
  const room = Math.max(1, Math.floor(cores / threads));
  // Trainers of an own process each would take the memory; workers that are asked for share what they have.
  const jobs = Math.min(options.jobs ?? room, simulate ? MAX_WORKERS : room, clients);
  const metrics = await openMetrics(paths.metrics);
  const clock = createStageClock();
  const run = { ...context, paths, settings, cores, jobs, threads, metrics, toldEngines: new Set<string>() };
  context.reporter.info(opening(volume, { cores, jobs }));
  await metrics.append({
    event: 'start',
    id: volume.record.id,
    resumed: volume.resumed,
    settings,
    cores,
    jobs,
    threads,
  });

  const data = await clock.time('split', () => splitStage(run));
  await recordDataset(volume, data.dataset.sha256);
  const runner = simulate ? createSimulationRunner(run, data) : createLocalRunner(run, data);
  const { outcomes, lastRound } = await runRounds(runner, { clients, rounds, clock }).finally(() =>
    runner.close(),
  );

  const last = outcomes.at(-1);
  if (last === undefined) throw new Error('a run has at least one round');
  const { global, evaluation } = last;
  const result = {
    ...evaluation,
    rounds,
    seconds: clock.seconds(),
    sha256: global.sha256,
    volume: paths.root,
    lastRound,
  };
  const { accuracy, loss, seconds, sha256 } = result;
  await metrics.append({ event: 'end', accuracy, loss, rounds, seconds, sha256 });
  return result;
}

async function runRounds(
  runner: LocalRunner,
  { clock, ...plan }: { readonly clients: number; readonly rounds: number; readonly clock: StageClock },
) {
  const outcomes = await federatedAveraging(plan, timedRunner(runner, clock));
  return { outcomes, lastRound: await clock.time('evaluate', () => runner.evaluateClients()) };
}

/** A file is hashed before anything else is done, so that one that has changed since is not mistaken for the same. */
async function withDatasetHash(settings: RunSettings): Promise<RunSettings> {
  const { name } = settings.dataset;
  if (DATASET_NAMES.includes(name)) return settings;
  const what = `a dataset (an npz file, or one of the names ${DATASET_NAMES.join(', ')})`;
  return { ...settings, dataset: { name, sha256: await sha256OfFile(name, what) } };
}

function opening(
  volume: RunVolume,
  { cores, jobs }: { readonly cores: number; readonly jobs: number },
): string {
  const { settings } = volume.record;
  const { clients, rounds } = settings.federation;
  const plan = [
    count(clients, 'client'),
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
