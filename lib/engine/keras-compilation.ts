/** What `compile()` leaves in a Keras file: its optimizer and its losses as ours, and back. */
import { z } from 'zod';
import { ModelError, UsageError } from '../core/errors.js';
import { type LossSettings, lossWith, type OutputLoss, writtenLoss } from '../federation/loss.js';
import { parseDocument } from '../formats/files/json-document.js';
import { asKerasObject, asTyped, quote } from '../model/keras/keras-settings.js';
import { readOptimizer, writeOptimizer } from '../model/optimizers/keras-optimizer.js';
import type { OptimizerSettings } from './engine.js';

/** An optimizer, or why it cannot be had here. */
type ReadOptimizer = OptimizerSettings | { readonly kind: 'unknown'; readonly reason: string };

/** A loss, or what it is where it is none of ours. */
type ReadLoss = OutputLoss | { readonly name: 'unknown'; readonly title: string };

const compilationSchema = z.object({
  optimizer_config: z.object({ class_name: z.string(), config: z.record(z.string(), z.unknown()) }),
  loss: z.unknown(),
  loss_weights: z.unknown().optional(),
});

/** The file of a model, and the names of its outputs. */
interface OutputPlaces {
  readonly file: string;
  readonly outputs: readonly string[];
}

/** Settings of a loss that say nothing new, at these values. */
const PLAIN_LOSS_SETTINGS: ReadonlyMap<string, RegExp> = new Map([
  ['reduction', /^(auto|sum_over_batch_size|mean)$/],
  ['axis', /^-1$/],
  ['fn', /./],
  ['name', /./],
  ['dtype', /./],
]);

/**
 * The optimizer in the attribute `training_config`.
 *
 * @throws {DataError} when that is nothing that Keras writes
 */
export function readCompiledOptimizer(trainingConfig: string, file: string): ReadOptimizer {
  const { class_name: className, config } = parseCompilation(trainingConfig, file).optimizer_config;
  try {
    return readOptimizer(className, config);
  } catch (error) {
    if (error instanceof ModelError) return { kind: 'unknown', reason: error.message };
    throw error;
  }
}

const parseCompilation = (trainingConfig: string, file: string) =>
  parseDocument(trainingConfig, {
    schema: compilationSchema,
    file,
    expected: 'what Keras writes of a compiled model in attribute "training_config"',
  });

/**
 * The losses in the attribute `training_config`, one for each output: Keras has one for all, a list, or one by the name
 * of each, and weights likewise. Undefined where it names none.
 *
 * @param asked the losses of some outputs, which win
 * @throws {DataError} when that is nothing that Keras writes
 * @throws {UsageError} when they are not those of the outputs
 */
export function readLosses(
  trainingConfig: string,
  { asked = [], ...place }: OutputPlaces & { readonly asked?: readonly (OutputLoss | undefined)[] },
): readonly ReadLoss[] | undefined {
  const { file, outputs } = place;
  const { loss, loss_weights: weights } = parseCompilation(trainingConfig, file);
  if (loss === undefined || loss === null) return undefined;
  const isShared = typeof loss === 'string' || asKerasObject(loss) !== undefined;
  const losses = isShared ? outputs.map(() => loss) : ofOutputs(loss, { what: 'losses', ...place });
  const hasWeights = weights !== undefined && weights !== null && Object.keys(weights).length > 0;
  const factors = hasWeights ? ofOutputs(weights, { what: 'loss weights', ...place }) : [];
  return losses.map((each, at) => {
    const wanted = asked[at];
    if (wanted !== undefined) return wanted;
    if (each === undefined || each === null)
      throw new UsageError(
        `${file} was compiled without a loss for its output ${outputs[at]}: compile it with one, or save the model without this output.`,
      );
    const own = readLoss(each);
    const weight = Number(factors[at] ?? 1);
    return weight === 1 || own.name === 'unknown' ? own : { ...own, weight };
  });
}

/** What Keras has for each output, as a list or by name. */
function ofOutputs(
  given: unknown,
  { what, file, outputs }: OutputPlaces & { readonly what: string },
): readonly unknown[] {
  const fail = (found: string) =>
    new UsageError(
      `${file} was compiled with ${what} for ${found}, and its outputs are ${outputs.join(', ')}: compile it with one for each.`,
    );
  if (Array.isArray(given)) {
    if (given.length === outputs.length) return given;
    throw fail(`${given.length} output${given.length === 1 ? '' : 's'}`);
  }
  if (typeof given !== 'object' || given === null) return outputs.map(() => given);
  const byName = given as Readonly<Record<string, unknown>>;
  const stray = Object.keys(byName).filter((name) => !outputs.includes(name));
  if (stray.length > 0) throw fail(Object.keys(byName).join(', '));
  return outputs.map((name) => byName[name]);
}

/** What a model is compiled with. */
interface Compilation {
  /** Of its one output, or of each of several; without it that of before holds. */
  readonly loss: LossSettings | readonly NamedLoss[] | undefined;
  readonly optimizer: OptimizerSettings;
}

/** The loss of an output, by name. */
interface NamedLoss {
  readonly output: string;
  readonly loss: OutputLoss;
}

/**
 * The attribute `training_config` of a model with this loss and optimizer. What a model was compiled with stays as its
 * file says it: its optimizer, and its loss where none is given.
 */
export function writeCompilation({ loss, optimizer }: Compilation, compiled?: string): string {
  const before: Readonly<Record<string, unknown>> = JSON.parse(compiled ?? '{}');
  const { optimizer_config: kept } = before;
  return JSON.stringify({
    ...writtenLosses(loss, before),
    optimizer_config: kept ?? writeOptimizer(optimizer),
  });
}

function writtenLosses(loss: Compilation['loss'], before: Readonly<Record<string, unknown>>) {
  const rest = { metrics: null, weighted_metrics: null, loss_weights: null };
  if (loss === undefined) {
    const { loss: kept = null, loss_weights: weights = null } = before;
    return { loss: kept, ...rest, loss_weights: weights };
  }
  if ('name' in loss) {
    const metrics = loss.name.endsWith('crossentropy') ? ['accuracy'] : null;
    return { loss: writtenLoss(loss), ...rest, metrics };
  }
  const byName = <T>(of: (each: OutputLoss) => T) =>
    Object.fromEntries(loss.map(({ output, loss: each }) => [output, of(each)]));
  return { loss: byName(writtenLoss), ...rest, loss_weights: byName(({ weight = 1 }) => weight) };
}

/** A loss as ours: a name, or an object with settings. */
function readLoss(loss: unknown): ReadLoss {
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
