/** Examples: what a dataset and a shard hold, whatever file they come from. */
import { formatShape, sizeOf } from '../core/weights.js';

/** More classes than any image set has (ImageNet-21k: 21,841); a larger label is a mistake in the file. */
export const MAX_CLASSES = 65_536;

/** Numbers as they lie in the file. */
export type ExampleValues = Uint8Array | Int32Array | Float32Array | Float64Array;

/** What holds such numbers, by their dtype as numpy names it. */
export const VALUE_ARRAYS = {
  uint8: Uint8Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

/** The dtype of such numbers, as numpy names it. */
export type ExampleDtype = keyof typeof VALUE_ARRAYS;

/** One row of numbers for each example. */
export interface ExampleArray<V extends ExampleValues = ExampleValues> {
  /** `[n, …]` */
  readonly shape: readonly number[];
  /** Row-major; length is the product of `shape`. */
  readonly values: V;
}

/** What a model is given, under the name of its input; of one input alone the name means nothing. */
export interface ExampleInput extends ExampleArray {
  readonly name: string;
}

/** What it should answer: labels from 0 `[n]` (int32), numbers `[n, k]` (floats), or which of k hold, `[n, k]` of 0 and 1 (uint8). */
export type ExampleTargets = ExampleArray<Int32Array> | ExampleArray<Float32Array> | ExampleArray<Uint8Array>;

/** Targets under the name of the model's output; of one output alone the name means nothing. */
export type NamedTargets = ExampleTargets & { readonly name: string };

/** What targets are. */
export type TargetKind = 'labels' | 'numbers' | 'multi-hot';

/** What all targets are, or those of each of several outputs, by name. */
export type TargetKinds = TargetKind | Readonly<Record<string, TargetKind>>;

/** Inputs with their targets, dtypes and shapes as in their source. */
export interface Examples {
  readonly inputs: readonly [ExampleInput, ...ExampleInput[]];
  /** One for each output of the model. */
  readonly targets: readonly [NamedTargets, ...NamedTargets[]];
  /** How much each example counts in training, `[n]`; without it all count 1. */
  readonly weights?: Float32Array | undefined;
}

/** What data say of their own numbers. */
export interface DataFacts {
  /** Name of each class, from class 0. */
  readonly classNames?: readonly string[];
  /** What the targets are called. */
  readonly target?: TargetName;
  /** By the name of an input: the columns that its numbers come from, and the categories that they stand for, from number 1. */
  readonly inputs?: Readonly<Record<string, InputFacts>>;
  /** By the name of an input: the columns whose missing numbers, NaN, become the mean of all clients. */
  readonly means?: Readonly<Record<string, readonly string[]>> | undefined;
  /** By the name of a key: what each of its numbers stands for. */
  readonly keys?: Readonly<Record<string, readonly string[]>>;
}

/** What a model is to answer, as the data call it. */
interface TargetName {
  readonly column: string;
  readonly unit?: string | undefined;
}

/** What data say of the numbers of an input. */
interface InputFacts {
  readonly columns?: readonly string[] | undefined;
  readonly categories?: readonly string[] | undefined;
  /** By column: what its numbers are counted in. */
  readonly units?: Readonly<Record<string, string>> | undefined;
  /** By column: what stands for a value that is missing. */
  readonly missing?: Readonly<Record<string, number | 'unknown'>> | undefined;
}

/** A dataset: examples to train on and, where it brings them, held-out ones to test on. */
export interface Dataset {
  readonly train: Examples;
  readonly test?: Examples;
}

/** Name of the only input. */
export const ONLY_INPUT = 'x';
/** Name of the only output. */
export const ONLY_OUTPUT = 'y';

/** Images with the class of each. */
export function labelledImages(
  shape: readonly number[],
  images: ExampleValues,
  labels: Int32Array,
): Examples {
  return {
    inputs: [{ name: ONLY_INPUT, shape, values: images }],
    targets: onlyTargets({ shape: [labels.length], values: labels }),
  };
}

/** The targets of a model's only output. */
export const onlyTargets = (targets: ExampleTargets): Examples['targets'] => [
  { name: ONLY_OUTPUT, ...targets },
];

/** Number of examples. */
export function exampleCount({ targets: [targets] }: Pick<Examples, 'targets'>): number {
  return targets.shape[0] ?? 0;
}

/** What the targets are. */
export function targetKind({ values }: ExampleTargets): TargetKind {
  if (values instanceof Int32Array) return 'labels';
  return values instanceof Uint8Array ? 'multi-hot' : 'numbers';
}

/** What the targets of each output are; of one alone just that. */
export function targetKinds({ targets: [only, ...others] }: Pick<Examples, 'targets'>): TargetKinds {
  if (others.length === 0) return targetKind(only);
  return Object.fromEntries([only, ...others].map((each) => [each.name, targetKind(each)]));
}

/** The class of each example, where there is one output and its targets are one label each. */
export function labelsIn({ targets: [only, ...others] }: Pick<Examples, 'targets'>): Int32Array | undefined {
  return others.length === 0 && only.shape.length === 1 ? labelsOf(only) : undefined;
}

/** All labels, step by step where examples have several, where targets are labels. */
export const labelsOf = ({ values }: ExampleTargets): Int32Array | undefined =>
  values instanceof Int32Array ? values : undefined;

/** The targets of all outputs for people, by name where there are several. */
export function describeAllTargets({ targets }: Pick<Examples, 'targets'>): string {
  const words = (each: NamedTargets) =>
    `${targets.length > 1 ? `${each.name}: ` : ''}${describeTargets(each)}`;
  return targets.map(words).join(', ');
}

/** Targets for people: `labels`, `a number for each example`, `3 numbers for each example`, `which of 5 hold for each example`. */
export function describeTargets(targets: ExampleTargets): string {
  const kind = targetKind(targets);
  const size = sizeOf(targets.shape.slice(1));
  if (kind === 'labels')
    return targets.shape.length === 1
      ? 'labels'
      : `a label for each of the steps ${formatShape(targets.shape.slice(1))}`;
  if (targets.shape.length > 2) return `numbers ${formatShape(targets.shape.slice(1))} for each example`;
  if (kind === 'multi-hot') return `which of ${size} hold for each example`;
  return size === 1 ? 'a number for each example' : `${size} numbers for each example`;
}

/** The part of `examples` at `indices`, in that order. */
export function takeExamples(examples: Examples, indices: ArrayLike<number>): Examples {
  const { inputs, weights } = examples;
  return {
    inputs: inputs.map((array) => takeRows(array, indices)) as unknown as Examples['inputs'],
    targets: takeTargets(examples, indices),
    ...(weights === undefined ? {} : { weights: Float32Array.from(indices, (at) => weights[at] as number) }),
  };
}

/** Their targets alone. */
export function takeTargets(
  { targets }: Pick<Examples, 'targets'>,
  indices: ArrayLike<number>,
): Examples['targets'] {
  return targets.map((array) => takeRows(array, indices)) as unknown as Examples['targets'];
}

/** Rows that are longer are copied by the runtime: for short ones the call costs more than the copy. */
const SHORT_ROW = 64;

/** The rows of `array` at `indices`, in that order. */
export function takeRows<A extends ExampleArray>(array: A, indices: ArrayLike<number>): A {
  const { shape, values } = array;
  const size = sizeOf(shape.slice(1));
  const taken = sameKind(values, indices.length * size);
  for (let to = 0; to < indices.length; to++) {
    const from = indices[to] as number;
    if (size > SHORT_ROW) taken.set(values.subarray(from * size, (from + 1) * size), to * size);
    else
      for (let each = 0; each < size; each++) taken[to * size + each] = values[from * size + each] as number;
  }
  return { ...array, shape: [indices.length, ...shape.slice(1)], values: taken };
}

/** The examples of all `parts`, at least one, which are alike, one part after the other. */
export function concatExamples(parts: readonly Examples[]): Examples {
  const [first] = parts;
  if (first === undefined) throw new RangeError('there are no examples to put together');
  const join = <A extends ExampleArray>(like: A, arrayOf: (part: Examples) => ExampleArray): A => ({
    ...like,
    ...concatRows(parts.map(arrayOf)),
  });
  const weights = parts.flatMap((part) => (part.weights === undefined ? [] : [part.weights]));
  return {
    inputs: first.inputs.map((input, at) =>
      join(input, ({ inputs }) => inputs[at] as ExampleInput),
    ) as unknown as Examples['inputs'],
    targets: first.targets.map((each, at) =>
      join(each, ({ targets }) => targets[at] as NamedTargets),
    ) as unknown as Examples['targets'],
    ...(weights.length === 0 ? {} : { weights: Float32Array.from(weights.flatMap((each) => [...each])) }),
  };
}

function concatRows(arrays: readonly ExampleArray[]): ExampleArray {
  const [first] = arrays as readonly [ExampleArray];
  const sum = (sizeIn: (array: ExampleArray) => number) =>
    arrays.reduce((all, each) => all + sizeIn(each), 0);
  const values = sameKind(
    first.values,
    sum((each) => each.values.length),
  );
  let at = 0;
  for (const each of arrays) {
    values.set(each.values, at);
    at += each.values.length;
  }
  return { shape: [sum(({ shape }) => shape[0] ?? 0), ...first.shape.slice(1)], values };
}

/** Number of classes that `labels` need: the largest label and one. */
export function countClasses(...labels: readonly Int32Array[]): number {
  return labels.reduce((most, part) => part.reduce((max, label) => Math.max(max, label + 1), most), 0);
}

/** What the numbers of a sequence `[n, t]` are all below, where they are whole ones from 0; undefined of other inputs. */
export function tokensIn({ shape, values }: ExampleArray): number | undefined {
  if (shape.length !== 2 || !(values instanceof Int32Array || values instanceof Uint8Array)) return undefined;
  let [least, most] = [0, 0];
  for (const value of values) {
    if (value > most) most = value;
    else if (value < least) least = value;
  }
  return least < 0 ? undefined : most + 1;
}

/** How many examples of each class 0 … `classes`-1 there are. */
export function labelHistogram(labels: Int32Array, classes: number): number[] {
  const histogram = new Array<number>(classes).fill(0);
  for (const label of labels) histogram[label] = (histogram[label] ?? 0) + 1;
  return histogram;
}

/** The dtype of values, as numpy names it. */
export function dtypeOf(values: ExampleValues): ExampleDtype {
  if (values instanceof Uint8Array) return 'uint8';
  if (values instanceof Int32Array) return 'int32';
  return values instanceof Float32Array ? 'float32' : 'float64';
}

/** Inputs and targets in a word each, e.g. `uint8 images [28,28]`: what examples of one dataset share. */
export function describeInputs({
  inputs,
}: {
  readonly inputs: readonly (InputForm & { readonly name: string })[];
}): string {
  return inputs
    .map((input) => {
      const name = inputs.length > 1 ? `${input.name}: ` : '';
      const what = isImageForm(input) ? 'images' : 'inputs';
      return `${name}${input.dtype} ${what} ${formatShape(input.shape.slice(1))}`;
    })
    .join(', ');
}

/** What can be said of an input without its values. */
export interface InputForm {
  /** `[n, …]` */
  readonly shape: readonly number[];
  readonly dtype: ExampleDtype;
}

/** Images: `[n, h, w]` or `[n, h, w, c]`. */
export type Images = ExampleArray<Uint8Array | Float32Array | Float64Array>;

/** Channels that an image can have: grey, grey and alpha, colour, colour and alpha. */
export const MAX_CHANNELS = 4;

/**
 * Whether an input is images, so that its numbers stand for black and white: `[n, h, w, c]` of at most 4 channels, and
 * `[n, h, w]` of uint8, or of floats where h is w (others are series of vectors).
 */
export function isImages(input: ExampleArray): input is Images {
  return isImageForm({ shape: input.shape, dtype: dtypeOf(input.values) });
}

/** The same of an input whose values are not at hand. */
export function isImageForm({ shape, dtype }: InputForm): boolean {
  const [, height = 0, width = 0, channels = 0] = shape;
  if (dtype === 'int32') return false;
  if (shape.length === 4) return channels <= MAX_CHANNELS;
  return shape.length === 3 && (dtype === 'uint8' || height === width);
}

/** The images, where examples are these and nothing else. */
export function imagesIn({ inputs: [input, ...others] }: Pick<Examples, 'inputs'>): Images | undefined {
  return others.length === 0 && isImages(input) ? input : undefined;
}

/** Height, width and channels of one image; `[n, h, w]` has one channel. */
export function imageShape({
  shape,
}: Pick<Images, 'shape'>): readonly [height: number, width: number, channels: number] {
  const [, height = 0, width = 0, channels = 1] = shape;
  return [height, width, channels];
}

const sameKind = (values: ExampleValues, length: number): ExampleValues =>
  new VALUE_ARRAYS[dtypeOf(values)](length);
