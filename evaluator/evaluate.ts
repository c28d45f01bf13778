/** The accuracy test: one model on held-out examples. */
import type { ProgramContext } from '../lib/cli/program.js';
import { chooseEngine } from '../lib/engine/choose-engine.js';
import type { PredictSession } from '../lib/engine/engine.js';
import { batchImages } from '../lib/engine/image-batch.js';
import { modelFromKeras } from '../lib/engine/keras-model.js';
import { classCount } from '../lib/engine/parameters.js';
import { prepareEngines } from '../lib/engine/prepare-engines.js';
import { requireFit } from '../lib/engine/task-from-data.js';
import type { EngineChoice } from '../lib/federation/engine-choice.js';
import { DataError } from '../lib/federation/errors.js';
import type { Examples } from '../lib/federation/examples.js';
import { readFileBytes, sha256 } from '../lib/formats/atomic-file.js';
import { readShard } from '../lib/formats/dataset.js';
import { decodeKerasFile } from '../lib/formats/keras-hdf5.js';
import type { AccuracyReport } from './accuracy-report.js';
import { summarise, type Tally } from './tally.js';

/** What to test on what. */
export interface EvaluateOptions {
  /** The model (h5). */
  readonly model: string;
  /** The held-out examples (npz with `x`, `y`). */
  readonly data: string;
  /** Examples per prediction. */
  readonly batchSize: number;
  readonly engine: EngineChoice;
  readonly threads: number;
}

/**
 * Loss and accuracy of a model on held-out examples.
 *
 * @throws {DataError} when model or data are missing, damaged, or do not fit each other
 */
export async function evaluate(options: EvaluateOptions, context: ProgramContext): Promise<AccuracyReport> {
  const startedAt = performance.now();
  const bytes = await readFileBytes(options.model, 'a trained model (h5)');
  const file = await decodeKerasFile(bytes, options.model);
  const model = modelFromKeras(file, options.model, { keepForeignLayers: true });
  const examples = await readShard(options.data);
  requireFit(model, examples, options.data);
  prepareEngines(options);
  const { engine, why } = await chooseEngine(options.engine, {
    description: model.description,
    signal: context.signal,
  });
  context.reporter.info(`testing on ${engine.name} (${why})`, { event: 'engine', engine: engine.name, why });
  const session = await engine.createPredictSession(model, options);
  const tally = await predictAll(session, {
    examples,
    classes: classCount(model.description),
    options,
    context,
  });
  await session.dispose();
  return {
    model: options.model,
    sha256: sha256(bytes),
    data: options.data,
    seconds: Math.round(performance.now() - startedAt) / 1000,
    ...summarise(tally),
  };
}

interface Prediction {
  readonly examples: Examples;
  readonly classes: number;
  readonly options: EvaluateOptions;
  readonly context: ProgramContext;
}

async function predictAll(
  session: PredictSession,
  { examples, classes, options, context }: Prediction,
): Promise<Tally> {
  const count = examples.labels.length;
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  let lossSum = 0;
  for (let start = 0; start < count; start += options.batchSize) {
    context.signal.throwIfAborted();
    const picks = order.subarray(start, start + options.batchSize);
    const probabilities = await session.predict(batchImages(examples, picks), picks.length);
    for (const [row, pick] of picks.entries()) {
      const label = examples.labels[pick] as number;
      const scores = probabilities.subarray(row * classes, (row + 1) * classes);
      if (!scores.every(Number.isFinite)) {
        const expected = 'a model that predicts probabilities';
        throw new DataError({
          file: options.model,
          expected,
          found: `NaN for example ${pick} of ${options.data}`,
        });
      }
      lossSum += crossEntropy(scores[label] as number);
      const counts = confusion[label] as number[];
      const predicted = indexOfLargest(scores);
      counts[predicted] = (counts[predicted] as number) + 1;
    }
    context.reporter.progress({
      stage: 'evaluate',
      done: start + picks.length,
      total: count,
      unit: 'examples',
    });
  }
  return { confusion, lossSum };
}

/** Keras clips probabilities by its epsilon, so that a certain mistake has a finite loss. */
const SMALLEST_PROBABILITY = 1e-7;

const crossEntropy = (probability: number) =>
  -Math.log(Math.min(1 - SMALLEST_PROBABILITY, Math.max(SMALLEST_PROBABILITY, probability)));

function indexOfLargest(scores: Float32Array): number {
  let best = 0;
  for (let at = 1; at < scores.length; at++) if ((scores[at] as number) > (scores[best] as number)) best = at;
  return best;
}
