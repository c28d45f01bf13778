/** Datasets and shards as npz files: what is accepted, and one clear sentence for what is not. */
import { DataError } from '../../core/errors.js';
import { shareArray, sizeOf } from '../../core/weights.js';
import {
  type Dataset,
  describeAllTargets,
  describeInputs,
  dtypeOf,
  type ExampleArray,
  type ExampleInput,
  type Examples,
  type ExampleTargets,
  type ExampleValues,
  exampleCount,
  imagesIn,
  labelsIn,
  type NamedTargets,
  ONLY_INPUT,
  ONLY_OUTPUT,
  targetKinds,
} from '../../federation/examples.js';
import { writeFileAtomic } from '../files/atomic-file.js';
import { readFileBytes, readFileShared, sha256 } from '../files/read-file.js';
import { type ArrayPlace, type Fault, inputOf } from './input-array.js';
import { npzLine, renameLine } from './mending-lines.js';
import type { NpyArray } from './npy.js';
import { encodeNpz, listNames, type NpzArchive, openNpz } from './npz.js';
import { targetsOf, type WantedTargets } from './target-array.js';

/** The arrays of a dataset that brings its own test examples. */
const FOUR = ['x_train', 'y_train', 'x_test', 'y_test'] as const;

/** A file that was written: what a manifest records of it. */
export interface WrittenFile {
  readonly sizeBytes: number;
  /** Of the whole file, hexadecimal. */
  readonly sha256: string;
}

/** Hears one sentence about each array that is not taken as it stands in the file. */
export type Tell = (note: string) => void;

/**
 * Reads a dataset: arrays `x_train`, `y_train`, `x_test`, `y_test`, or `x`, `y`. Several inputs are arrays `x_train/<name>`,
 * `x_test/<name>`, or `x/<name>`, and several outputs `y_train/<name>` likewise; an array `w_train`, or `w`, says how much each example counts in training.
 *
 * @throws {DataError} as `parseDataset`, and when the file is missing.
 */
export async function readDataset(path: string): Promise<Dataset> {
  return await parseDataset(await readFileBytes(path, 'a dataset (npz)'), path);
}

/** How arrays are read. */
export interface ExampleReading {
  /** What the targets are, where that is known; else their numbers tell. */
  readonly targets?: WantedTargets;
  readonly tell?: Tell | undefined;
  /** Whether inputs may lack numbers (NaN): for those who count them. */
  readonly keepsMissing?: boolean | undefined;
}

/**
 * A dataset from the bytes of its npz. Inputs are `[n, …]` of any number type; targets are labels, whole numbers from 0,
 * `[n]` or `[n, 1]` or one-hot rows; numbers, `[n]` or `[n, k]`; or rows of 0 and 1 that say which of k hold.
 *
 * @param path named in error messages
 * @throws {DataError} when an array is missing, damaged, of the wrong dtype or shape, when lengths disagree, a label
 *   is out of range, a number is not finite, or train and test do not match.
 */
export async function parseDataset(
  bytes: Uint8Array,
  path: string,
  options: ExampleReading = {},
): Promise<Dataset> {
  return datasetOf(await openNpz(bytes, path), path, options);
}

/** A dataset from its arrays, wherever these come from. @throws {DataError} as `parseDataset` */
export function datasetOf(archive: NpzArchive, path: string, options: ExampleReading = {}): Dataset {
  if (!bringsTest(archive, path)) return { train: readExamples(archive, { path, part: '', ...options }) };
  const train = readExamples(archive, { path, part: '_train', ...options });
  const { weights: _, ...test } = readExamples(archive, {
    path,
    part: '_test',
    targets: targetKinds(train),
  });
  for (const [name, describe] of [
    ['x', describeInputs],
    ['y', describeAllTargets],
  ] as const) {
    const [expected, found] = [describe(train), describe(test)];
    if (expected === found) continue;
    const mend = name === 'x' ? likeTrainLine(path, train, test) : undefined;
    throw new DataError({
      file: path,
      expected: `${name}_test to have ${expected} like ${name}_train`,
      found,
      mend,
    });
  }
  return { train, test };
}

/** Makes x_test like x_train, where only their types or the extents of length 1 differ. */
function likeTrainLine(path: string, train: Examples, test: Examples): string | undefined {
  const [[to, ...more], [from]] = [train.inputs, test.inputs];
  const one = to.shape.slice(1);
  if (more.length > 0 || sizeOf(one) !== sizeOf(from.shape.slice(1))) return undefined;
  const [dtype, other] = [dtypeOf(to.values), dtypeOf(from.values)];
  const isUnit = (values: ExampleValues) => values.every((value) => value <= 1);
  let values = 'd["x_test"]';
  if (dtype === 'uint8' && other !== 'uint8' && isUnit(from.values)) values = `(${values} * 255).round()`;
  if (dtype !== 'uint8' && other === 'uint8' && isUnit(to.values)) values = `(${values} / 255)`;
  const change = `${values}.reshape(-1, ${one.join(', ')}).astype("${dtype}")`;
  return npzLine(path, `d["x_test"] = ${change}`);
}

/** True for four arrays, false for `x` and `y`. @throws {DataError} where neither are all there */
function bringsTest(archive: NpzArchive, path: string): boolean {
  const has = (name: string) => namesOf(archive, name).length > 0;
  if (!FOUR.every(has) && has('x') && has('y')) return false;
  requireArrays(archive, path, FOUR);
  return true;
}

/** How a shard is read. */
export interface ShardOptions extends ExampleReading {
  /** Which part of a whole dataset stands in for a shard, where one is given. Without it such a file is refused. */
  readonly part?: 'train' | 'test';
}

/** Reads a shard (or a test set): arrays `x`, `y`. @throws {DataError} as `parseDataset`. */
export async function readShard(path: string, options: ShardOptions = {}): Promise<Examples> {
  return parseShard(await readFileBytes(path, SHARD), path, options);
}

/** What error messages call it. */
const SHARD = 'a shard (npz)';

/** Reads a shard so that threads can share it; `uint8` images are not copied on the way. @throws {DataError} likewise */
export async function readSharedShard(path: string, options: ShardOptions = {}): Promise<Examples> {
  return shareExamples(await parseShard(await readFileShared(path, SHARD), path, options));
}

async function parseShard(
  bytes: Uint8Array,
  path: string,
  { part, ...options }: ShardOptions,
): Promise<Examples> {
  const archive = await openNpz(bytes, path);
  const has = (name: string) => namesOf(archive, name).length > 0;
  const suffix = part === 'test' ? '_test' : '_train';
  const [x, y] = [`x${suffix}`, `y${suffix}`];
  if (part !== undefined && !has('x') && has(x) && has(y)) {
    options.tell?.(
      `${path} is a whole dataset: its ${part === 'test' ? 'test' : 'training'} part (${x}, ${y}) is taken`,
    );
    return readExamples(archive, { path, part: suffix, ...options });
  }
  requireArrays(archive, path, ['x', 'y']);
  return readExamples(archive, { path, part: '', ...options });
}

/** The same examples in memory that threads share. */
export function shareExamples({ inputs, targets, weights }: Examples): Examples {
  const share = <A extends ExampleArray>(array: A): A => ({ ...array, values: shareArray(array.values) });
  return {
    inputs: inputs.map(share) as unknown as Examples['inputs'],
    targets: targets.map(share) as unknown as Examples['targets'],
    ...(weights === undefined ? {} : { weights: shareArray(weights) }),
  };
}

/**
 * Writes a shard atomically: `x`, or `x/<name>` for each of several inputs, in the dtype and shape of the examples; `y`, or
 * `y/<name>` for each of several outputs, as int32 where it is labels, as float32 or uint8 else.
 *
 * @throws {StorageError} when the disk refuses.
 */
export async function writeShard(path: string, examples: Examples): Promise<WrittenFile> {
  const { inputs, targets, weights } = examples;
  const bytes = await encodeNpz([
    ...inputs.map(({ name, ...array }) => ({ name: inputs.length > 1 ? `x/${name}` : 'x', ...array })),
    ...targets.map(({ name, ...array }) => ({
      name: targets.length > 1 ? `y/${name}` : 'y',
      ...withoutDoubt(array),
    })),
    ...(weights === undefined ? [] : [{ name: 'w', shape: [exampleCount(examples)], values: weights }]),
  ]);
  await writeFileAtomic(path, bytes);
  return { sizeBytes: bytes.length, sha256: sha256(bytes) };
}

/** Rows of one number as `[n]`; labels of steps as `[n, …, 1]`, since their rows might be one-hot by chance. */
function withoutDoubt({ shape, values }: ExampleTargets): ExampleArray {
  const [count = 0, ...one] = shape;
  if (sizeOf(one) === 1) return { shape: [count], values };
  return { shape: values instanceof Int32Array ? [...shape, 1] : shape, values };
}

/** The arrays that are called so: one, or one for each of several inputs. */
function namesOf({ names }: NpzArchive, name: string): readonly string[] {
  return names.includes(name) ? [name] : names.filter((each) => each.startsWith(`${name}/`));
}

function requireArrays(archive: NpzArchive, file: string, wanted: readonly string[]): void {
  if (wanted.every((name) => namesOf(archive, name).length > 0)) return;
  const both = wanted.length > 2 ? ', or x and y' : '';
  const expected = `arrays ${wanted.slice(0, -1).join(', ')} and ${wanted.at(-1)}${both}`;
  const mend = renameLine(file, archive.names);
  throw new DataError({ file, expected, found: listNames(archive.names), mend });
}

interface PartOptions extends ExampleReading {
  readonly path: string;
  /** What follows x and y in the names of the arrays. */
  readonly part: '' | '_train' | '_test';
}

function readExamples(
  archive: NpzArchive,
  { path, part, targets, tell = silent, keepsMissing }: PartOptions,
): Examples {
  const fault = faultIn(path);
  const [x, y, w] = [`x${part}`, `y${part}`, `w${part}`];
  const place = (name: string) => ({ file: path, name, fault, tell, keepsMissing });
  const inputs = namesOf(archive, x).map((name) => ({
    name: name === x ? ONLY_INPUT : name.slice(x.length + 1),
    ...inputOf(archive.read(name), place(name)),
  })) as unknown as Examples['inputs'];
  const read = namesOf(archive, y).map((name): NamedTargets => {
    const output = name === y ? ONLY_OUTPUT : name.slice(y.length + 1);
    const wanted = typeof targets === 'object' ? targets[output] : targets;
    return { name: output, ...targetsOf(archive.read(name), place(name), wanted) };
  }) as unknown as Examples['targets'];
  const count = exampleCount({ targets: read });
  for (const { name, shape } of read) {
    if (shape[0] === count) continue;
    throw fault(`${count} targets in ${y}/${name}, as in ${y}/${read[0].name}`, `${shape[0]}`);
  }
  for (const [at, { shape }] of inputs.entries()) {
    if (shape[0] === count) continue;
    const what = imagesIn({ inputs: [inputs[at] as ExampleInput] }) === undefined ? 'example' : 'image';
    const targetsName = labelsIn({ targets: read }) === undefined ? 'targets' : 'labels';
    throw fault(
      `${shape[0]} ${targetsName} in ${namesOf(archive, y)[0]}, one for each ${what} of ${namesOf(archive, x)[at]}`,
      `${count}`,
    );
  }
  if (count === 0) throw fault(`at least one example in ${x}`, 'none');
  if (!archive.names.includes(w)) return { inputs, targets: read };
  return { inputs, targets: read, weights: weightsOf(archive.read(w), place(w), count) };
}

/** How much each example counts: a number of at least 0 each. */
function weightsOf({ values }: NpyArray, { name, fault }: ArrayPlace, count: number): Float32Array {
  const weights = Float32Array.from(values as Float32Array, Number);
  const unfit = weights.findIndex((weight) => !(weight >= 0 && Number.isFinite(weight)));
  if (unfit >= 0) throw fault(`weights of at least 0 in ${name}`, `${weights[unfit]} in example ${unfit}`);
  if (weights.length === count) return weights;
  throw fault(`${count} weights in ${name}, one for each example`, `${weights.length}`);
}

const silent: Tell = () => undefined;

const faultIn =
  (file: string): Fault =>
  (expected, found, mend) =>
    new DataError({ file, expected, found, mend });
