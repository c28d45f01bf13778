/** What `compile()` leaves in a Keras file: its optimizer and its loss as ours, and back. */
import { z } from 'zod';
import { type LossSettings, lossWith, writtenLoss } from '../federation/loss.js';
import { parseDocument } from '../formats/files/json-document.js';
import { asKerasObject, asTyped, quote } from '../model/keras/keras-settings.js';
import { ModelError } from '../model/model-error.js';
import { readOptimizer, writeOptimizer } from '../model/optimizers/keras-optimizer.js';
import type { OptimizerSettings } from './engine.js';

/** A compiled model's training, as far as it concerns ours. */
interface Compilation {
  /** The optimizer, or why it cannot be had here. */
  readonly optimizer: OptimizerSettings | { readonly kind: 'unknown'; readonly reason: string };
  /** The loss, or what it is where it is none of ours; absent where the file names none, or one for each of several outputs. */
  readonly loss?: LossSettings | { readonly name: 'unknown'; readonly title: string };
}

const compilationSchema = z.object({
  optimizer_config: z.object({ class_name: z.string(), config: z.record(z.string(), z.unknown()) }),
  loss: z.unknown(),
});

/** Settings of a loss that say nothing new, at these values. */
const PLAIN_LOSS_SETTINGS: ReadonlyMap<string, RegExp> = new Map([
  ['reduction', /^(auto|sum_over_batch_size|mean)$/],
  ['axis', /^-1$/],
  ['fn', /./],
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
  return {
    optimizer: optimizerIn(optimizer.class_name, optimizer.config),
    ...(loss === undefined || loss === null ? {} : { loss: readLoss(loss) }),
  };
}

/**
 * The attribute `training_config` of a model with this loss. The optimizer of a compiled model stays as its file says it,
 * unless another one is given.
 */
export function writeCompilation(
  { loss, optimizer }: { readonly loss: LossSettings; readonly optimizer: OptimizerSettings },
  compiled?: string,
): string {
  const { optimizer_config: kept }: { readonly optimizer_config?: unknown } = JSON.parse(compiled ?? '{}');
  return JSON.stringify({
    loss: writtenLoss(loss),
    metrics: loss.name.endsWith('crossentropy') ? ['accuracy'] : null,
    weighted_metrics: null,
    loss_weights: null,
    optimizer_config: kept ?? writeOptimizer(optimizer),
  });
}

function optimizerIn(className: string, config: Readonly<Record<string, unknown>>): Compilation['optimizer'] {
  try {
    return readOptimizer(className, config);
  } catch (error) {
    if (error instanceof ModelError) return { kind: 'unknown', reason: error.message };
    throw error;
  }
}

/** A loss as ours: a name, or an object with settings. */
function readLoss(loss: unknown): NonNullable<Compilation['loss']> {
  // A model of one output may have a list of one.
  if (Array.isArray(loss) && loss.length === 1) return readLoss(loss[0]);
  if (typeof loss === 'string') return lossWith(loss, {}) ?? { name: 'unknown', title: quote(loss) };
  const object = asKerasObject(loss);
  if (object === undefined) return { name: 'unknown', title: quote(loss) };
  const others = Object.entries(object.config).filter(
    ([key, value]) => value && !PLAIN_LOSS_SETTINGS.get(key)?.test(`${value}`),
  );
  const settings = Object.fromEntries(others.map(([key, value]) => [key, asTyped(Number(value))]));
  const found = lossWith(object.class_name, settings);
  if (found !== undefined) return found;
  const title = others.map(([key, value]) => `${key} ${quote(value)}`).join(', ');
  return {
    name: 'unknown',
    title: title === '' ? object.class_name : `${object.class_name} with ${title}`,
  };
}
