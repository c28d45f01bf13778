/** From stored examples to what a model takes: their shapes, their scale, a batch of them. */
import { DataError } from '../core/errors.js';
import { formatShape, sizeOf } from '../core/weights.js';
import {
  type ExampleArray,
  type ExampleInput,
  type Examples,
  imageShape,
  imagesIn,
  isImages,
  type NamedTargets,
  ONLY_INPUT,
  takeRows,
} from '../federation/examples.js';
import type { Losses, LossSettings } from '../federation/loss.js';
import {
  describeScale,
  findScale,
  formatScale,
  inputScale,
  isNear,
  MAX_PIXEL,
  type PixelScale,
  rescale,
  scaleOf,
  UNIT_SCALE,
} from '../federation/pixel-scale.js';
import type { Model, NamedInput } from './model-description.js';
import { inputBound } from './parameters.js';
import { lossAt, lossModule } from './tasks/losses.js';
import type { OutputTask, Task } from './tasks/task.js';

/** The shape of one example of an input, as a model takes it; grey images have a channel. */
export function inputShapeOf(input: ExampleArray): readonly number[] {
  return isImages(input) ? imageShape(input) : input.shape.slice(1);
}

/**
 * The examples with their inputs in the order of the model's: by name where the names are the same, else as they come.
 *
 * @param path the file of the examples, for errors
 * @throws {DataError} when the model takes other inputs, naming both
 */
export function fitInputs(
  { description }: Pick<Model, 'description'>,
  examples: Examples,
  path: string,
): Examples {
  const wanted = description.inputs;
  const given = inOrder(wanted, examples.inputs, { what: 'inputs', path }).map((input, at) => {
    const each = wanted[at] as NamedInput;
    const bound = inputBound(description, each.name);
    requireShape(each, input, path);
    requireBelow(bound, input, path);
    // What rows of a table are looked up by is no image, however its numbers are stored.
    const isLookedUp = bound !== undefined && input.values instanceof Uint8Array;
    return isLookedUp ? { ...input, values: Int32Array.from(input.values) } : input;
  });
  return { ...examples, inputs: given as unknown as Examples['inputs'] };
}

interface Named {
  readonly name: string;
}

/** What is given in the order of what is wanted: by name, or as it comes. @throws {DataError} for another number of them */
function inOrder<T extends Named>(
  wanted: readonly Named[],
  given: readonly T[],
  { what, path }: { readonly what: string; readonly path: string },
): readonly T[] {
  const named = wanted.map(({ name }) => given.find((each) => each.name === name));
  const ordered = named.every((each) => each !== undefined) ? named : given;
  if (ordered.length === wanted.length) return ordered;
  const list = (all: readonly Named[]) => `${all.length} (${all.map(({ name }) => name).join(', ')})`;
  throw new DataError({
    file: path,
    expected: `as many ${what} as the model has, ${list(wanted)}`,
    found: list(given),
  });
}

/**
 * The examples with their targets in the order of the model's outputs: by name where the names are the same, else as
 * they come. Rows of 0 and 1 that a model tells classes of, step by step, are labels.
 *
 * @param path the file of the examples, for errors
 * @throws {DataError} when the model has another number of outputs, naming both
 */
export function fitTargets({ outputs }: Task, examples: Examples, path: string): Examples {
  const wanted = outputs.map(({ output: name }) => ({ name }));
  const targets = inOrder(wanted, examples.targets, { what: 'targets', path }).map((each, at) =>
    asSteps(each, outputs[at] as OutputTask),
  );
  return { ...examples, targets: targets as unknown as Examples['targets'] };
}

function asSteps(targets: NamedTargets, { name, shape }: OutputTask): NamedTargets {
  const isSteps = formatShape(targets.shape.slice(1)) === formatShape(shape.slice(0, -1));
  if (name !== 'classification' || !isSteps || !(targets.values instanceof Uint8Array)) return targets;
  return { ...targets, values: Int32Array.from(targets.values) };
}

function requireShape({ name, shape }: NamedInput, input: ExampleInput, file: string): void {
  const given = inputShapeOf(input);
  const isFlat = shape.length === 1 && sizeOf(shape) === sizeOf(given);
  // An image without an axis for its only channel is one with it, and a series of vectors may come as one.
  const isPlain =
    formatShape([...shape, 1]) === formatShape(given) || formatShape(shape) === formatShape([...given, 1]);
  if (isFlat || isPlain || formatShape(shape) === formatShape(given)) return;
  const what = isImages(input) ? 'images' : 'inputs';
  const of = input.name === ONLY_INPUT ? '' : ` for ${name}`;
  throw new DataError({
    file,
    expected: `${what} of shape ${formatShape(shape)}${of} as the model takes them`,
    found: `${what} of shape ${formatShape(given)}`,
  });
}

/** Makes sure that an embedding has a row for every number that it is asked for. */
function requireBelow(bound: number | undefined, { name, values }: ExampleInput, file: string): void {
  if (bound === undefined) return;
  const odd = values.find((value) => !(Number.isInteger(value) && value >= 0 && value < bound));
  if (odd === undefined) return;
  const of = name === ONLY_INPUT ? '' : ` for ${name}`;
  throw new DataError({
    file,
    expected: `whole numbers from 0 to ${bound - 1}${of}, the rows of the model's embedding`,
    found: `${odd}`,
  });
}

/** The examples at `picks`, each input as `[picks.length, …]`: images of uint8 from 0 to 1, other numbers as they are. */
export function batchInputs({ inputs }: Examples, picks: ArrayLike<number>): readonly Float32Array[] {
  return inputs.map((input) => batchRows(input, picks, scaleFactor(input)));
}

const scaleFactor = (input: ExampleInput) =>
  input.values instanceof Uint8Array && isImages(input) ? 1 / MAX_PIXEL : 1;

function batchRows({ shape, values }: ExampleArray, picks: ArrayLike<number>, factor: number): Float32Array {
  const size = sizeOf(shape.slice(1));
  const batch = new Float32Array(picks.length * size);
  for (let to = 0; to < picks.length; to++) {
    const from = (picks[to] as number) * size;
    const base = to * size;
    for (let at = 0; at < size; at++) batch[base + at] = (values[from + at] as number) * factor;
  }
  return batch;
}

/** The targets at `picks` as the loss of each output takes them: labels int32, numbers `[picks.length, …]`. */
export function batchTargets(
  { targets }: Pick<Examples, 'targets'>,
  picks: ArrayLike<number>,
  losses: Losses,
): readonly (Int32Array | Float32Array)[] {
  return targets.map((each, at) => {
    if (lossModule(lossAt(losses, at) as LossSettings).targets === 'numbers')
      return batchRows(each, picks, 1);
    return takeRows(each as ExampleArray<Int32Array>, picks).values;
  });
}

/** The scale of a model that is to be trained on these examples alone, as its file says it; undefined where 0 to 1. */
export function foundScale(examples: Examples): string | undefined {
  const images = imagesIn(examples);
  const finding = images && findScale(images);
  if (images === undefined || finding?.kind !== 'found') return undefined;
  return formatScale(inputScale(finding.scale, images.values instanceof Uint8Array));
}

/** A model file and a file of examples. */
interface ScaleFit {
  /** What the file of the model says. */
  readonly scale: string | undefined;
  /** Path of the examples. */
  readonly path: string;
  /** What the manifest says of the examples, as a model is given them: their scale, or nothing that was unusual. */
  readonly known: PixelScale | 'usual' | undefined;
  readonly tell: (note: string) => void;
}

/**
 * The examples as the model takes them: images are converted, with a note, where their scale is another than the
 * model's. A model that says nothing of its scale gets them as they are.
 */
export function fitScale(examples: Examples, { scale, path, known, tell }: ScaleFit): Examples {
  const images = imagesIn(examples);
  if (images === undefined || (scale === undefined && known !== undefined)) return examples;
  const isUint8 = images.values instanceof Uint8Array;
  const from = known === undefined || known === 'usual' ? scaleFound(images) : known;
  if (from === undefined) return examples;
  if (scale === undefined) {
    if (isNear(UNIT_SCALE, from)) return examples;
    tell(
      `${path}: pixels ${describeScale(from)}; the model says nothing of its scale, so they are taken as they are`,
    );
    return examples;
  }
  const to = scaleOf(scale);
  if (isNear(to, from)) return examples;
  tell(`${path}: pixels ${describeScale(from)}, converted to those of the model, ${describeScale(to)}`);
  const values = Float32Array.from(images.values, (value) => (isUint8 ? value / MAX_PIXEL : value));
  rescale(values, { channels: imageShape(images)[2], from, to });
  return { ...examples, inputs: [{ ...examples.inputs[0], values }] };
}

function scaleFound(images: NonNullable<ReturnType<typeof imagesIn>>): PixelScale | undefined {
  const finding = findScale(images);
  if (finding.kind === 'unknown') return undefined;
  return finding.kind === 'usual'
    ? UNIT_SCALE
    : inputScale(finding.scale, images.values instanceof Uint8Array);
}
