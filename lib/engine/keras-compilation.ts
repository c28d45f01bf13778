/** What `compile()` left in a Keras file: its optimizer as one of ours, and a loss that our training does not have. */
import { z } from 'zod';
import { parseDocument } from '../formats/files/json-document.js';
import { asKerasObject, quote } from '../model/keras/keras-settings.js';
import { ModelError } from '../model/model-error.js';
import { readOptimizer } from '../model/optimizers/keras-optimizer.js';
import type { OptimizerSettings } from './engine.js';

/** A compiled model's training, as far as it concerns ours. */
interface Compilation {
  /** The optimizer, or why it cannot be had here. */
  readonly optimizer: OptimizerSettings | { readonly kind: 'unknown'; readonly reason: string };
  /** The loss as the file has it, where ours is another. */
  readonly otherLoss?: string;
}

const compilationSchema = z.object({
  optimizer_config: z.object({ class_name: z.string(), config: z.record(z.string(), z.unknown()) }),
  loss: z.unknown(),
});

/** Keras' names of our loss: the kind of label makes no difference to it. */
const CROSS_ENTROPY = /^(sparse_?)?categorical_?crossentropy$/i;
/** Settings of a loss that ours has, with the values at which it is ours; others have to be off. */
const LOSS_SETTINGS: ReadonlyMap<string, RegExp> = new Map([
  ['reduction', /^(auto|sum_over_batch_size|mean)$/],
  ['axis', /^-1$/],
  ['fn', /crossentropy/],
  ['name', /./],
  ['dtype', /./],
]);

/**
 * What stands in the attribute `training_config`.
 *
 * @throws {DataError} when that is nothing that Keras writes
 */
export function readCompilation(trainingConfig: string, file: string): Compilation {
  const expected = 'what Keras writes of a compiled model in attribute "training_config"';
  const parsed = parseDocument(trainingConfig, { schema: compilationSchema, file, expected });
  const { optimizer_config: optimizer, loss } = parsed;
  const otherLoss = loss === undefined || loss === null ? undefined : otherThanCrossEntropy(loss);
  return {
    optimizer: optimizerIn(optimizer.class_name, optimizer.config),
    ...(otherLoss === undefined ? {} : { otherLoss }),
  };
}

function optimizerIn(className: string, config: Readonly<Record<string, unknown>>): Compilation['optimizer'] {
  try {
    return readOptimizer(className, config);
  } catch (error) {
    if (error instanceof ModelError) return { kind: 'unknown', reason: error.message };
    throw error;
  }
}

/** In which a loss is not the mean cross-entropy of probabilities; undefined where it is. */
function otherThanCrossEntropy(loss: unknown): string | undefined {
  // A model of one output may have a list of one.
  if (Array.isArray(loss) && loss.length === 1) return otherThanCrossEntropy(loss[0]);
  if (typeof loss === 'string' && CROSS_ENTROPY.test(loss)) return undefined;
  const object = asKerasObject(loss);
  if (object === undefined || !CROSS_ENTROPY.test(object.class_name)) return quote(loss);
  const others = Object.entries(object.config).filter(
    ([key, value]) => value && !LOSS_SETTINGS.get(key)?.test(`${value}`),
  );
  if (others.length === 0) return undefined;
  return `${object.class_name} with ${others.map(([key, value]) => `${key} ${quote(value)}`).join(', ')}`;
}
