/** The simulator's main path: rounds of virtual clients, each trained by a warm worker and aggregated as it comes. */
import { join } from 'node:path';
import type { ProgramContext } from '../lib/cli/program.js';
import { ThresholdError, UsageError } from '../lib/core/errors.js';
import { shareWeights } from '../lib/core/weights.js';
import type { AccuracyReport } from '../lib/engine/accuracy.js';
import type { TrainingPlan } from '../lib/engine/local-training.js';
import { readModelFile } from '../lib/engine/model-file.js';
import { prepareEngines } from '../lib/engine/native-environment.js';
import { startingOptimizer } from '../lib/engine/starting-optimizer.js';
import { startingTask, taskNotes } from '../lib/engine/starting-task.js';
import { trainingWeights } from '../lib/federation/class-weights.js';
import { exampleCount } from '../lib/federation/examples.js';
import type { AskedLoss } from '../lib/federation/loss.js';
import { virtualClients } from '../lib/federation/partition/client-holdout.js';
import { privacyAfter } from '../lib/federation/privacy/privacy-record.js';
import { strategyNamed } from '../lib/federation/strategies/strategy-named.js';
import { movedClip, type StrategySettings } from '../lib/federation/strategies/strategy-settings.js';
import { readSharedShard } from '../lib/formats/data/dataset.js';
import { PARTITION_NAME, readPartition, TRAIN_NAME } from '../lib/formats/data/virtual-shards.js';
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { withChecksum } from '../lib/formats/files/json-document.js';
import { listedBeside, targetsIn } from '../lib/formats/manifest-facts.js';
import { type NoiseFile, openNoiseFile } from '../lib/formats/noise-file.js';
import { startState, writeGlobal } from '../lib/formats/server-state.js';
import type {
  EvaluateReply,
  EvaluateRequest,
  SaveReply,
  SaveRequest,
  TrainReply,
  TrainRoundRequest,
} from '../lib/formats/simulation-messages.js';
import { lossesOf } from '../lib/model/tasks/task.js';
import { TASK_NOTE, trainingProgress } from '../lib/observability/events.js';
import { roundTo } from '../lib/observability/format.js';
import { checkTraining } from '../lib/settings/checks.js';
import { lossAsked, type OptimizerFlags } from '../lib/settings/parts/training.js';
import type { Naming } from '../lib/settings/setting.js';
import { testAccuracy, testEachClient } from './accuracy.js';
import { type RoundModel, type TrainedRound, trainRound } from './round.js';
import type { SharedExamples, WorkerSetup } from './worker-messages.js';
import { openPool, type WorkerPool } from './worker-pool.js';

/** A simulation on a split with virtual shards. */
interface SimulatorOptions extends Omit<TrainingPlan, 'optimizer' | 'loss'> {
  /** What of the optimizer is asked for; the rest is that of the global model. */
  readonly optimizer: OptimizerFlags;
  /** What messages call a setting. */
  readonly named: Naming;
  /** Directory of the split. */
  readonly data: string;
  /** Number of workers. */
  readonly jobs: number;
  readonly strategy: StrategySettings;
  /** Of a private strategy whose noise does not derive from the seed: where its key lies. */
  readonly noiseFile?: string | undefined;
  /** The run's volume, for a strategy whose clients keep something between rounds. */
  readonly volume?: string | undefined;
}

/** A simulator that has read its data. */
export interface Simulator {
  /** Trains the clients of a round, and aggregates their updates in the clients' order. */
  train(request: TrainRoundRequest): Promise<TrainReply>;
  /** Writes the global model of the training before. @throws {ThresholdError} for too few good updates */
  save(request: SaveRequest): Promise<SaveReply>;
  evaluate(request: EvaluateRequest): Promise<EvaluateReply>;
  /** Stops the workers. */
  close(): Promise<void>;
}

/** Reads the split. @throws {DataError} when one of its files is missing or damaged */
export async function openSimulator(options: SimulatorOptions, context: ProgramContext): Promise<Simulator> {
  prepareEngines(options);
  const asked = lossAsked(options.training);
  const train = await readShared(join(options.data, TRAIN_NAME), asked);
  const test = await readShared(join(options.data, 'test.npz'), asked);
  const shards = await readPartition(join(options.data, PARTITION_NAME), exampleCount(train.examples));
  const noise = await openNoise(options);
  let pool: WorkerPool | undefined;
  let outcome: TrainedRound | undefined;
  const taskOn = (
    { examples, file: data }: SharedExamples,
    { model, path, file }: Omit<RoundModel, 'sha256'>,
  ) => startingTask({ model, path, file }, { examples, data, asked });

  const poolFor = async ({ model, path, file }: RoundModel): Promise<WorkerPool> => {
    if (pool !== undefined) return pool;
    const { task, examples } = taskOn(train, { model, path, file });
    const { examples: held } = taskOn(test, { model, path, file });
    for (const note of taskNotes(task)) context.reporter.info(note, TASK_NOTE);
    const { strategy, volume, training, named } = options;
    const { optimizer } = startingOptimizer(options.optimizer, { file, path });
    checkTraining(strategy.name, { optimizer, proximal: training.proximal ?? 0 }, named);
    const { seed, engine, threads } = options;
    const isWeighted = trainingWeights(examples, training.classWeights) !== undefined;
    const plan = { training, optimizer, loss: lossesOf(task), isWeighted, seed, engine, threads };
    const setup: WorkerSetup = {
      ...{ plan, shards, task, model, strategy: strategy.name, volume },
      train: { ...train, examples },
      test: { ...test, examples: held },
    };
    pool = await openPool(setup, {
      ...{ jobs: options.jobs, signal: context.signal },
      onProgress: ({ round, client, progress, seconds }) =>
        context.reporter.progress({ ...trainingProgress(client, progress, seconds), round }),
    });
    const { title, why } = pool.engine;
    context.reporter.info(`${path}: ${options.jobs} workers on ${title} (${why})`, {
      event: 'engine',
      engine: title,
      why,
    });
    return pool;
  };

  const privacyOf = ({ request: { clients, round }, state }: TrainedRound) =>
    privacyAfter(options.strategy, {
      participants: clients.length,
      population: virtualClients(shards),
      rounds: round,
      redrawn: noise?.redrawn(round),
      clip: movedClip(options.strategy, state),
    });

  return {
    async train(request) {
      const global = await readGlobalModel(request.global, request.sha256);
      const workers = await poolFor(global);
      const participants = request.clients.length;
      const { seed } = options;
      const allExamples = shards.indices.length;
      const strategy = strategyNamed(options.strategy, {
        seed,
        participants,
        noise: noise?.source,
        allExamples,
      });
      const parent = { file: global.path, weights: global.model.weights, sha256: global.sha256 };
      const state = await startState(strategy, { round: request.round, parent }, request.stateIn);
      const { privacy, clipNorm } = options.strategy;
      const round = { global, strategy, isPrivate: privacy !== undefined, clipNorm, state };
      outcome = await trainRound(request, { ...round, pool: workers, reporter: context.reporter });
      const { account, stepSeconds } = outcome;
      return { engine: workers.engine.title, stepSeconds: roundTo(stepSeconds, 3), ...account };
    },
    async save(request) {
      if (outcome === undefined) throw new Error('train comes before save');
      return { ...(await saveGlobal(outcome, request, noise)), ...privacyOf(outcome) };
    },
    async evaluate({ model: path, file }) {
      const startedAt = performance.now();
      const global = await readGlobalModel(path);
      const workers = await poolFor(global);
      const { task, examples } = taskOn(test, global);
      const held = { ...test, examples };
      const testing = { global, pool: workers, reporter: context.reporter };
      const summary = await testAccuracy({ ...testing, task, test: held });
      const perClient = shards.heldOut === undefined ? {} : await testEachClient({ ...testing, shards });
      const report: AccuracyReport = {
        model: path,
        sha256: global.sha256,
        data: test.file,
        seconds: roundTo((performance.now() - startedAt) / 1000, 3),
        ...summary,
        ...perClient,
      };
      await writeFileAtomic(file, `${JSON.stringify(withChecksum(report), null, 2)}\n`);
      return { sha256: global.sha256 };
    },
    close: async () => pool?.close(),
  };
}

async function saveGlobal(
  outcome: TrainedRound,
  request: SaveRequest,
  noise: NoiseFile | undefined,
): Promise<SaveReply> {
  const { next, global, strategy, updates, examples, account, measures } = outcome;
  const { file, stateOut, minUpdates } = request;
  const startedAt = performance.now();
  if (updates < minUpdates) {
    throw new ThresholdError(
      `Expected at least ${minUpdates} good client updates, found ${updates}` +
        ` (${account.rejected.length} rejected); ${file} was not written.`,
    );
  }
  if (next instanceof ThresholdError) throw next;
  const written = await writeGlobal({
    strategy,
    next,
    from: outcome.state.weights,
    like: global.file,
    saveFile: file,
    stateOut,
    count: noise?.count,
  });
  const seconds = outcome.aggregateSeconds + (performance.now() - startedAt) / 1000;
  return { updates, examples, seconds: roundTo(seconds, 3), ...written, ...measures };
}

/** @throws {UsageError} when noise needs a key and none was named */
async function openNoise({ strategy, noiseFile }: SimulatorOptions): Promise<NoiseFile | undefined> {
  if (strategy.privacy?.noiseSource !== 'system') return undefined;
  if (noiseFile === undefined) throw new UsageError('Differential privacy takes --dp-noise-file too.');
  return openNoiseFile(noiseFile);
}

async function readShared(file: string, asked: AskedLoss | undefined): Promise<SharedExamples> {
  const targets = await targetsIn(() => listedBeside(file), asked);
  return { examples: await readSharedShard(file, { targets }), file };
}

async function readGlobalModel(path: string, known?: string): Promise<RoundModel> {
  const { model, ...opened } = await readModelFile(path, {
    expected: 'the global model (h5)',
    forTraining: true,
    known,
  });
  return { path, ...opened, model: { ...model, weights: shareWeights(model.weights) } };
}
