/** What `compile()` left in a Keras file: its optimizer as one of ours, and a loss that our training does not have. */
import { z } from 'zod';
import { parseDocument } from '../formats/files/json-document.js';
import { asKerasObject, KerasSettings, quote } from '../model/keras/keras-settings.js';
import { numberWithin } from '../model/layers/settings.js';
import { ModelError } from '../model/model-error.js';
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
    optimizer: readOptimizer(optimizer.class_name, optimizer.config),
    ...(otherLoss === undefined ? {} : { otherLoss }),
  };
}

function readOptimizer(
  className: string,
  config: Readonly<Record<string, unknown>>,
): Compilation['optimizer'] {
  try {
    // Keras 2.11 to 2.15 write its own classes as custom ones.
    const kind = className.replace(/^Custom>/, '');
    const settings = new KerasSettings(`optimizer ${kind}`, config);
    settings.ignore('ema_momentum', 'ema_overwrite_frequency', 'jit_compile', 'is_legacy_optimizer');
    settings.only('decay', 0, null);
    const optimizer = kind === 'SGD' ? readSgd(settings) : kind === 'Adam' ? readAdam(settings) : undefined;
    if (optimizer === undefined) throw new ModelError(`the optimizer ${kind} is not one of SGD and Adam`);
    settings.requireAllRead();
    return optimizer;
  } catch (error) {
    if (error instanceof ModelError) return { kind: 'unknown', reason: error.message };
    throw error;
  }
}

function readSgd(settings: KerasSettings): OptimizerSettings {
  const momentum = readShare(settings, 'momentum', 0);
  return { kind: 'sgd', learningRate: readLearningRate(settings), momentum };
}

function readAdam(settings: KerasSettings): OptimizerSettings {
  return {
    kind: 'adam',
    learningRate: readLearningRate(settings),
    beta1: readShare(settings, 'beta_1', 0.9),
    beta2: readShare(settings, 'beta_2', 0.999),
    epsilon: readNumber(settings, {
      keys: ['epsilon'],
      expected: 'a number above 0',
      fallback: 1e-7,
      isIn: (value) => value > 0,
    }),
  };
}

function readLearningRate(settings: KerasSettings): number {
  return readNumber(settings, {
    keys: ['learning_rate', 'lr'],
    expected: 'a number of at least 0',
    isIn: (value) => value >= 0,
  });
}

function readShare(settings: KerasSettings, key: string, fallback: number): number {
  return readNumber(settings, {
    keys: [key],
    expected: 'a share from 0 to 1',
    fallback,
    isIn: (value) => value >= 0 && value <= 1,
  });
}

function readNumber(settings: KerasSettings, wanted: Parameters<typeof numberWithin>[0]): number {
  return asTyped(numberWithin(wanted).read(settings));
}

/** Keras keeps numbers in float32: 0.0010000000474974513 was typed as 0.001. */
function asTyped(value: number): number {
  return Math.fround(value) === value ? Number(value.toPrecision(7)) : value;
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
