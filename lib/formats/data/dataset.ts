/** Datasets and shards as npz files: what is accepted, and one clear sentence for what is not. */
import { DataError } from '../../core/errors.js';
import { shareArray, sizeOf } from '../../core/weights.js';
import {
  type DatasetRows,
  type ExampleRows,
  examplesOfRows,
  type InputRows,
  wholeOf,
} from '../../federation/example-rows.js';
import {
  type Dataset,
  describeAllTargets,
  describeInputs,
  type ExampleArray,
  type Examples,
  exampleCount,
  isImageForm,
  labelsIn,
  type NamedTargets,
  ONLY_INPUT,
  ONLY_OUTPUT,
  targetKinds,
} from '../../federation/examples.js';
import { readFileBytes, readFileShared } from '../files/read-file.js';
import type { OnReadProgress } from '../sources/source-kind.js';
import { type ArrayPlace, bytesToLookAt, type Fault, inputOf } from './input-array.js';
import { npzLine, renameLine } from './mending-lines.js';
import type { NpyArray, NpyRows } from './npy.js';
import { type ArrayArchive, listNames, openNpz, rowsInMemory } from './npz.js';
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

/** How datasets are read, which may be large. */
interface DatasetReading extends ExampleReading {
  /** Hears how far the look at what is not in memory is. */
  readonly onProgress?: OnReadProgress | undefined;
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
  const { train, test } = await datasetOf(rowsInMemory(await openNpz(bytes, path)), path, options);
  const read = { train: await examplesOfRows(train) };
  return test === undefined ? read : { ...read, test: await examplesOfRows(test) };
}

/** A dataset from its arrays, wherever these come from. @throws {DataError} as `parseDataset` */
export async function datasetOf(
  archive: ArrayArchive,
  path: string,
  options: DatasetReading = {},
): Promise<DatasetRows> {
  if (!bringsTest(archive, path)) return { train: await readRows(archive, { path, part: '', ...options }) };
  const train = await readRows(archive, { path, part: '_train', ...options });
  const { weights: _, ...test } = await readRows(archive, {
    path,
    part: '_test',
    targets: targetKinds(train),
    onProgress: options.onProgress,
  });
  for (const [name, describe] of [
    ['x', describeInputs],
    ['y', describeAllTargets],
  ] as const) {
    const [expected, found] = [describe(train), describe(test)];
    if (expected === found) continue;
    const mend = name === 'x' ? await likeTrainLine(path, train, test) : undefined;
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
async function likeTrainLine(
  path: string,
  train: ExampleRows,
  test: ExampleRows,
): Promise<string | undefined> {
  const [[to, ...more], [from]] = [train.inputs, test.inputs];
  const one = to.shape.slice(1);
  if (more.length > 0 || sizeOf(one) !== sizeOf(from.shape.slice(1))) return undefined;
  const [dtype, other] = [to.dtype, from.dtype];
  let values = 'd["x_test"]';
  if (dtype === 'uint8' && other !== 'uint8' && (await isUnit(from))) values = `(${values} * 255).round()`;
  if (dtype !== 'uint8' && other === 'uint8' && (await isUnit(to))) values = `(${values} / 255)`;
  const change = `${values}.reshape(-1, ${one.join(', ')}).astype("${dtype}")`;
  return npzLine(path, `d["x_test"] = ${change}`);
}

async function isUnit({ pieces }: InputRows): Promise<boolean> {
  for await (const values of pieces()) if (!values.every((value) => value <= 1)) return false;
  return true;
}

/** True for four arrays, false for `x` and `y`. @throws {DataError} where neither are all there */
function bringsTest(archive: ArrayArchive, path: string): boolean {
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
  const archive = rowsInMemory(await openNpz(bytes, path));
  const has = (name: string) => namesOf(archive, name).length > 0;
  const suffix = part === 'test' ? '_test' : '_train';
  const [x, y] = [`x${suffix}`, `y${suffix}`];
  if (part !== undefined && !has('x') && has(x) && has(y)) {
    options.tell?.(
      `${path} is a whole dataset: its ${part === 'test' ? 'test' : 'training'} part (${x}, ${y}) is taken`,
    );
    return await examplesOfRows(await readRows(archive, { path, part: suffix, ...options }));
  }
  requireArrays(archive, path, ['x', 'y']);
  return await examplesOfRows(await readRows(archive, { path, part: '', ...options }));
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

/** The arrays that are called so: one, or one for each of several inputs. */
function namesOf({ names }: ArrayArchive, name: string): readonly string[] {
  return names.includes(name) ? [name] : names.filter((each) => each.startsWith(`${name}/`));
}

function requireArrays(archive: ArrayArchive, file: string, wanted: readonly string[]): void {
  if (wanted.every((name) => namesOf(archive, name).length > 0)) return;
  const both = wanted.length > 2 ? ', or x and y' : '';
  const expected = `arrays ${wanted.slice(0, -1).join(', ')} and ${wanted.at(-1)}${both}`;
  const mend = renameLine(file, archive.names);
  throw new DataError({ file, expected, found: listNames(archive.names), mend });
}

interface PartOptions extends DatasetReading {
  readonly path: string;
  /** What follows x and y in the names of the arrays. */
  readonly part: '' | '_train' | '_test';
}

async function readRows(archive: ArrayArchive, options: PartOptions): Promise<ExampleRows> {
  const { path, part, targets, tell = silent, keepsMissing } = options;
  const fault = faultIn(path);
  const [x, y, w] = [`x${part}`, `y${part}`, `w${part}`];
  const place = (name: string) => ({ file: path, name, fault, tell, keepsMissing });
  const arrays = await Promise.all(
    namesOf(archive, x).map(async (name) => ({ name, rows: await archive.rows(name) })),
  );
  const hear = sumOfBytes(
    arrays.map(({ rows }) => rows),
    options,
  );
  const inputs: InputRows[] = [];
  for (const { name, rows } of arrays) {
    const input = await inputOf(rows, place(name), hear);
    inputs.push({ name: name === x ? ONLY_INPUT : name.slice(x.length + 1), ...input });
  }
  const read: NamedTargets[] = [];
  for (const name of namesOf(archive, y)) {
    const output = name === y ? ONLY_OUTPUT : name.slice(y.length + 1);
    const wanted = typeof targets === 'object' ? targets[output] : targets;
    const array = await wholeArray(await archive.rows(name));
    read.push({ name: output, ...targetsOf(array, place(name), wanted) });
  }
  const all = read as unknown as Examples['targets'];
  const count = exampleCount({ targets: all });
  for (const { name, shape } of all) {
    if (shape[0] === count) continue;
    throw fault(`${count} targets in ${y}/${name}, as in ${y}/${all[0].name}`, `${shape[0]}`);
  }
  for (const [at, input] of inputs.entries()) {
    const { shape } = input;
    if (shape[0] === count) continue;
    const what = isImageForm(input) ? 'image' : 'example';
    const targetsName = labelsIn({ targets: all }) === undefined ? 'targets' : 'labels';
    throw fault(
      `${shape[0]} ${targetsName} in ${namesOf(archive, y)[0]}, one for each ${what} of ${namesOf(archive, x)[at]}`,
      `${count}`,
    );
  }
  if (count === 0) throw fault(`at least one example in ${x}`, 'none');
  const rows = { inputs: inputs as unknown as ExampleRows['inputs'], targets: all };
  if (!archive.names.includes(w)) return rows;
  return { ...rows, weights: weightsOf(await wholeArray(await archive.rows(w)), place(w), count) };
}

const wholeArray = async (rows: NpyRows): Promise<NpyArray> => ({
  ...{ dtype: rows.dtype, shape: rows.shape, values: await wholeOf(rows) },
});

/** Tells how many bytes of all arrays were looked at. */
function sumOfBytes(arrays: readonly NpyRows[], { onProgress }: DatasetReading) {
  const total = arrays.reduce((sum, rows) => sum + bytesToLookAt(rows), 0);
  let done = 0;
  return (bytes: number) => {
    done += bytes;
    onProgress?.({ done, total, unit: 'bytes' });
  };
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
