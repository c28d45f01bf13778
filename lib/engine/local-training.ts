/** Local training of one client: shuffled minibatches over E epochs or some steps, on whichever engine. */
import { permutation, randomStream } from '../core/random.js';
import { trainingWeights } from '../federation/class-weights.js';
import { type Examples, type ExampleTargets, exampleCount, targetKind } from '../federation/examples.js';
import { type BatchSize, localWorkOf, planLocalWork } from '../federation/local-work.js';
import type { Losses, LossSettings } from '../federation/loss.js';
import type { EpochRecord } from '../formats/stage-results.js';
import { batchInputs, batchTargets } from '../model/model-input.js';
import { defaultOptimizer } from '../model/optimizers/keras-optimizer.js';
import { roundTo } from '../observability/format.js';
import type { EngineChoice } from '../settings/parts/engine.js';
import {
  COMPILED,
  OPTIMIZER_SETTINGS,
  type OptimizerSetting,
  type TrainingValues,
} from '../settings/parts/training.js';
import { releaseMemory } from '../system/memory.js';
import type { OptimizerSettings, TrainingSession } from './engine.js';

/**
 * E or a number of steps, B, what else settings say of local training, and the seed of the shuffling (McMahan et al. 2017,
 * ClientUpdate).
 */
export type LocalTrainingOptions = Partial<Omit<TrainingValues, 'loss'>> & {
  readonly batchSize: BatchSize;
  readonly seed: number;
  /** The session's; by default the one that goes with the targets. */
  readonly loss?: Losses | undefined;
  readonly signal?: AbortSignal;
  /** Called after every step. */
  readonly onStep?: (progress: LocalTrainingProgress) => void;
};

/** Which client's training in which round of which run. */
interface TrainingIdentity {
  /** The run's. */
  readonly seed: number;
  readonly round: number;
  readonly client: number;
}

/** The seed of one training: every client draws its own order and masks in every round, whatever runs beside it. */
export function trainingSeed({ seed, round, client }: TrainingIdentity): number {
  return randomStream(seed, 'training', round, client).uint32();
}

/** The size of all batches but a last one, where that is the same for all clients: a session may compile for it. */
export function usualBatch({ batch }: { readonly batch: BatchSize }): number | undefined {
  return batch === 'all' ? undefined : batch;
}

/** Where local training stands; loss and accuracy are means over the running epoch as far as it has come. */
export interface LocalTrainingProgress {
  readonly epoch: number;
  readonly epochs: number;
  readonly examplesDone: number;
  readonly examplesTotal: number;
  readonly loss: number;
  /** Undefined where no answer is simply right. */
  readonly accuracy?: number | undefined;
}

/** What an epoch came to: means over its examples, which are fewer where steps ended within it. */
export interface Epoch {
  readonly epoch: number;
  readonly loss: number;
  readonly accuracy?: number | undefined;
  readonly examples: number;
  readonly seconds: number;
}

/** The last epoch's means, and what each epoch came to. */
export interface LocalTrainingResult extends LocalTrainingProgress {
  readonly history: readonly Epoch[];
}

/**
 * Trains `session` on batches of the examples, in an order of its own in every epoch, and returns the last epoch's
 * means. Steps instead of epochs may end within one.
 */
export async function trainLocally(
  session: Pick<TrainingSession, 'step'>,
  examples: Examples,
  options: LocalTrainingOptions,
): Promise<LocalTrainingResult> {
  const count = exampleCount(examples);
  const { loss = examples.targets.map(usualLoss) } = options;
  const {
    batch,
    steps,
    epochs,
    examples: examplesTotal,
  } = planLocalWork(count, { ...localWorkOf(options), batchSize: options.batchSize });
  let progress: LocalTrainingProgress = {
    epoch: 0,
    epochs,
    examplesDone: 0,
    examplesTotal,
    loss: 0,
  };
  const weights = trainingWeights(examples, options.classWeights);
  let stepsLeft = steps;
  const history: Epoch[] = [];
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const order = permutation(count, randomStream(options.seed, 'shuffle', epoch));
    const startedAt = performance.now();
    let lossSum = 0;
    let correct: number | undefined = 0;
    for (let start = 0; start < count && stepsLeft > 0; start += batch) {
      options.signal?.throwIfAborted();
      const picks = order.subarray(start, start + batch);
      const inputs = batchInputs(examples, picks);
      const result = await session.step({
        ...{ count: picks.length, inputs, targets: batchTargets(examples, picks, loss) },
        ...(weights === undefined
          ? {}
          : { exampleWeights: Float32Array.from(picks, (pick) => weights[pick] as number) }),
      });
      releaseMemory(...inputs);
      stepsLeft--;
      lossSum += result.loss * picks.length;
      correct = result.correct === undefined ? undefined : (correct ?? 0) + result.correct;
      const seen = start + picks.length;
      progress = {
        epoch,
        epochs,
        examplesDone: (epoch - 1) * count + seen,
        examplesTotal,
        loss: lossSum / seen,
        ...(correct === undefined ? {} : { accuracy: correct / seen }),
      };
      options.onStep?.(progress);
    }
    const { loss: mean, accuracy, examplesDone } = progress;
    const told = { epoch, loss: mean, ...(accuracy === undefined ? {} : { accuracy }) };
    const seconds = (performance.now() - startedAt) / 1000;
    history.push({ ...told, examples: examplesDone - (epoch - 1) * count, seconds });
  }
  return { ...progress, history };
}

/** The epochs as records hold them; undefined where there was one, since its figures are those of the training. */
export function epochRecords(history: readonly Epoch[]): EpochRecord[] | undefined {
  if (history.length < 2) return undefined;
  return history.map(({ epoch, loss, accuracy, examples, seconds }) => ({
    ...{ epoch, loss: roundTo(loss, 6) },
    ...(accuracy === undefined ? {} : { accuracy: roundTo(accuracy, 6) }),
    ...{ examples, seconds: roundTo(seconds, 3) },
  }));
}

/** The loss that goes with targets. */
const usualLoss = (targets: ExampleTargets): LossSettings => ({
  name: targetKind(targets) === 'labels' ? 'categorical_crossentropy' : 'mse',
});

/** Plain data: it passes between threads. */
export interface TrainingPlan {
  /** Epochs or steps, the batch, and what else a client is told. */
  readonly training: TrainingValues;
  readonly optimizer: OptimizerSettings;
  readonly loss: Losses;
  /** Whether the examples have weights of their own. */
  readonly isWeighted?: boolean | undefined;
  /** The run's seed; client and round get streams of their own. */
  readonly seed: number;
  readonly engine: EngineChoice;
  /** Processor threads of each session. */
  readonly threads: number;
}

/** The optimizer that settings say, with Keras' defaults. */
export function optimizerOf(training: Pick<TrainingValues, OptimizerSetting>): OptimizerSettings {
  const { optimizer } = training;
  if (optimizer === COMPILED) throw new Error('the optimizer of a compiled model stands in its file');
  const names = OPTIMIZER_SETTINGS.filter((name) => name !== 'optimizer');
  return defaultOptimizer(optimizer, Object.fromEntries(names.map((name) => [name, training[name]])));
}
