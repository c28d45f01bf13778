/** Datasets and shards as npz files: what is accepted, and one clear sentence for what is not. */
import { DataError } from '../federation/errors.js';
import {
  type Dataset,
  type Examples,
  type ImageValues,
  imageDtype,
  MAX_CLASSES,
} from '../federation/examples.js';
import { formatShape } from '../federation/weights.js';
import { readFileBytes, readFileShared, sha256, writeFileAtomic } from './atomic-file.js';
import type { NpyArray } from './npy.js';
import { encodeNpz, listNames, type NpzArchive, openNpz } from './npz.js';
import { shareArray, shareImages } from './shared-arrays.js';

/** The arrays of a dataset that brings its own test examples. */
const FOUR = ['x_train', 'y_train', 'x_test', 'y_test'] as const;

/** A file that was written: what a manifest records of it. */
export interface WrittenFile {
  readonly sizeBytes: number;
  /** Of the whole file, hexadecimal. */
  readonly sha256: string;
}

/**
 * Reads a dataset: arrays `x_train`, `y_train`, `x_test`, `y_test`, or `x`, `y`.
 *
 * @throws {DataError} as `parseDataset`, and when the file is missing.
 */
export async function readDataset(path: string): Promise<Dataset> {
  return await parseDataset(await readFileBytes(path, 'a dataset (npz)'), path);
}

/**
 * A dataset from the bytes of its npz. Images are uint8, float32 or float64, `[n, h, w]` or `[n, h, w, c]`; labels
 * are integers of any width, `[n]` or `[n, 1]`, from 0.
 *
 * @param path named in error messages
 * @throws {DataError} when an array is missing, damaged, of the wrong dtype or shape, when lengths disagree, a label
 *   is out of range, an image value is not finite, or train and test do not match.
 */
export async function parseDataset(bytes: Uint8Array, path: string): Promise<Dataset> {
  const archive = await openNpz(bytes, path);
  if (!bringsTest(archive, path)) return { train: readExamples(archive, { path, x: 'x', y: 'y' }) };
  const train = readExamples(archive, { path, x: 'x_train', y: 'y_train' });
  const test = readExamples(archive, { path, x: 'x_test', y: 'y_test' });
  const describe = (part: Examples) =>
    `${imageDtype(part.images)} images ${formatShape(part.shape.slice(1))}`;
  if (describe(train) !== describe(test)) {
    throw new DataError({
      file: path,
      expected: `x_test to have ${describe(train)} like x_train`,
      found: describe(test),
    });
  }
  return { train, test };
}

/** The labels of the training examples, and whether the dataset brings test examples; images are not looked at. */
export interface TrainLabels {
  readonly labels: Int32Array;
  readonly bringsTest: boolean;
}

/** What a partition can be planned from: a fraction of the work of `parseDataset`. @throws {DataError} likewise */
export async function parseTrainLabels(bytes: Uint8Array, path: string): Promise<TrainLabels> {
  const archive = await openNpz(bytes, path);
  const isWhole = bringsTest(archive, path);
  const name = isWhole ? 'y_train' : 'y';
  return { labels: readLabels(archive.read(name), name, faultIn(path)), bringsTest: isWhole };
}

/** True for four arrays, false for `x` and `y`. @throws {DataError} where neither are all there */
function bringsTest(archive: NpzArchive, path: string): boolean {
  const has = (name: string) => archive.names.includes(name);
  if (!FOUR.every(has) && has('x') && has('y')) return false;
  requireArrays(archive, path, FOUR);
  return true;
}

/** Reads a shard (or a test set): arrays `x`, `y`. @throws {DataError} as `parseDataset`. */
export async function readShard(path: string): Promise<Examples> {
  return parseShard(await readFileBytes(path, SHARD), path);
}

/** What error messages call it. */
const SHARD = 'a shard (npz)';

/** Reads the labels of a shard alone. @throws {DataError} as `parseDataset` */
export async function readShardLabels(path: string): Promise<Int32Array> {
  const archive = await openNpz(await readFileBytes(path, SHARD), path);
  requireArrays(archive, path, ['x', 'y']);
  return readLabels(archive.read('y'), 'y', faultIn(path));
}

/** Reads a shard so that threads can share it; `uint8` images are not copied on the way. @throws {DataError} likewise */
export async function readSharedShard(path: string): Promise<Examples> {
  const { shape, images, labels } = await parseShard(await readFileShared(path, SHARD), path);
  return { shape, images: shareImages(images), labels: shareArray(labels, Int32Array) };
}

async function parseShard(bytes: Uint8Array, path: string): Promise<Examples> {
  const archive = await openNpz(bytes, path);
  requireArrays(archive, path, ['x', 'y']);
  return readExamples(archive, { path, x: 'x', y: 'y' });
}

/**
 * Writes a shard atomically: `x` in the dtype and shape of the examples, `y` as int32.
 *
 * @throws {StorageError} when the disk refuses.
 */
export async function writeShard(path: string, examples: Examples): Promise<WrittenFile> {
  const bytes = await encodeNpz([
    { name: 'x', shape: examples.shape, values: examples.images },
    { name: 'y', shape: [examples.labels.length], values: examples.labels },
  ]);
  await writeFileAtomic(path, bytes);
  return { sizeBytes: bytes.length, sha256: sha256(bytes) };
}

function requireArrays(archive: NpzArchive, file: string, wanted: readonly string[]): void {
  if (wanted.every((name) => archive.names.includes(name))) return;
  const both = wanted.length > 2 ? ', or x and y' : '';
  const expected = `arrays ${wanted.slice(0, -1).join(', ')} and ${wanted.at(-1)}${both}`;
  throw new DataError({ file, expected, found: listNames(archive.names) });
}

interface Names {
  readonly path: string;
  readonly x: string;
  readonly y: string;
}

function readExamples(archive: NpzArchive, { path, x, y }: Names): Examples {
  const fault = faultIn(path);
  const { dtype, shape, values } = archive.read(x);
  if (!isImages(dtype, values)) throw fault(`${x} to be uint8, float32 or float64`, dtype);
  if ((shape.length !== 3 && shape.length !== 4) || shape.slice(1).includes(0)) {
    throw fault(`${x} to be images [n,h,w] or [n,h,w,c]`, `the shape ${formatShape(shape)}`);
  }
  const labels = readLabels(archive.read(y), y, fault);
  if (labels.length !== shape[0])
    throw fault(`${shape[0]} labels in ${y}, one for each image of ${x}`, `${labels.length}`);
  if (labels.length === 0) throw fault(`at least one example in ${x}`, 'none');
  const bad = findNonFinite(values);
  if (bad >= 0) {
    const example = Math.floor(bad / (values.length / labels.length));
    throw fault(`finite numbers in ${x}`, `${values[bad]} in example ${example}`);
  }
  return { shape, images: values, labels };
}

/** Where the first NaN or infinity is; -1 where there is none. A plain loop: five times as fast as findIndex. */
function findNonFinite(values: ImageValues): number {
  if (values instanceof Uint8Array) return -1;
  for (let at = 0; at < values.length; at++) if (!Number.isFinite(values[at])) return at;
  return -1;
}

type Fault = (expected: string, found: string) => DataError;

const faultIn =
  (file: string): Fault =>
  (expected, found) =>
    new DataError({ file, expected, found });

/** Labels as int32. Floats are refused even where they are whole: such arrays are targets or one-hot more often. */
function readLabels({ dtype, shape, values }: NpyArray, name: string, fault: Fault): Int32Array {
  if (!/^u?int/.test(dtype)) throw fault(`${name} to hold whole-number labels (int or uint)`, dtype);
  if (shape.length !== 1 && !(shape.length === 2 && shape[1] === 1)) {
    const hint = shape.length === 2 ? ' (one-hot? numpy.argmax(y, axis=1) makes labels)' : '';
    throw fault(`${name} to be labels [n]`, `the shape ${formatShape(shape)}${hint}`);
  }
  const labels = new Int32Array(values.length);
  for (let index = 0; index < labels.length; index++) {
    const label = Number(values[index]);
    if (label < 0 || label >= MAX_CLASSES) {
      throw fault(`labels from 0 to ${MAX_CLASSES - 1} in ${name}`, `${label} in example ${index}`);
    }
    labels[index] = label;
  }
  return labels;
}

/** By dtype and not by class alone, since `bool` and `float16` come in wider arrays. */
function isImages(dtype: NpyArray['dtype'], _values: NpyArray['values']): _values is ImageValues {
  return dtype === 'uint8' || dtype === 'float32' || dtype === 'float64';
}
