/** Local training of one client: E epochs of shuffled minibatches, on whichever engine. */
import type { Examples } from '../federation/examples.js';
import { permutation, randomStream } from '../federation/random.js';
import type { TrainingSession } from './engine.js';
import { batchImages } from './image-batch.js';

/** E, B and the seed of the shuffling (McMahan et al. 2017, ClientUpdate). */
export interface LocalTrainingOptions {
  readonly epochs: number;
  readonly batchSize: number;
  readonly seed: number;
  readonly signal?: AbortSignal;
  /** Called after every step. */
  readonly onStep?: (progress: LocalTrainingProgress) => void;
}

/** Which client's training in which round of which run. */
export interface TrainingIdentity {
  /** The run's. */
  readonly seed: number;
  readonly round: number;
  readonly client: number;
}

/** The seed of one training: every client draws its own order and masks in every round, whatever runs beside it. */
export function trainingSeed({ seed, round, client }: TrainingIdentity): number {
  return randomStream(seed, 'training', round, client).uint32();
}

/** Where local training stands; loss and accuracy are means over the running epoch. */
export interface LocalTrainingProgress {
  readonly epoch: number;
  readonly examplesDone: number;
  readonly examplesTotal: number;
  readonly loss: number;
  readonly accuracy: number;
}

/** Trains `session` on all examples, in an order of its own in every epoch, and returns the last epoch's means. */
export async function trainLocally(
  session: Pick<TrainingSession, 'step'>,
  examples: Examples,
  options: LocalTrainingOptions,
): Promise<LocalTrainingProgress> {
  const count = examples.labels.length;
  const examplesTotal = count * options.epochs;
  let progress: LocalTrainingProgress = { epoch: 0, examplesDone: 0, examplesTotal, loss: 0, accuracy: 0 };
  for (let epoch = 1; epoch <= options.epochs; epoch++) {
    const order = permutation(count, randomStream(options.seed, 'shuffle', epoch));
    let lossSum = 0;
    let correct = 0;
    for (let start = 0; start < count; start += options.batchSize) {
      options.signal?.throwIfAborted();
      const picks = order.subarray(start, start + options.batchSize);
      const labels = Int32Array.from(picks, (pick) => examples.labels[pick] as number);
      const result = await session.step({ images: batchImages(examples, picks), labels });
      lossSum += result.loss * picks.length;
      correct += result.correct;
      const seen = start + picks.length;
      progress = {
        epoch,
        examplesDone: (epoch - 1) * count + seen,
        examplesTotal,
        loss: lossSum / seen,
        accuracy: correct / seen,
      };
      options.onStep?.(progress);
    }
  }
  return progress;
}
