/** Datasets and shards as npz files: what is accepted, and one clear sentence for what is not. */
import { DataError } from '../../core/errors.js';
import { formatShape, shareArray, shareImages, sizeOf } from '../../core/weights.js';
import { type Dataset, type Examples, imageDtype } from '../../federation/examples.js';
import { writeFileAtomic } from '../files/atomic-file.js';
import { readFileBytes, readFileShared, sha256 } from '../files/read-file.js';
import { type Fault, imagesOf } from './image-array.js';
import { labelsOf } from './label-array.js';
import { npzLine, renameLine } from './mending-lines.js';
import { encodeNpz, listNames, type NpzArchive, openNpz } from './npz.js';

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
 * Reads a dataset: arrays `x_train`, `y_train`, `x_test`, `y_test`, or `x`, `y`.
 *
 * @throws {DataError} as `parseDataset`, and when the file is missing.
 */
export async function readDataset(path: string): Promise<Dataset> {
  return await parseDataset(await readFileBytes(path, 'a dataset (npz)'), path);
}

/**
 * A dataset from the bytes of its npz. Images are `[n, h, w]` or `[n, h, w, c]` of uint8 or floats, or of other types
 * that can be taken as such; labels are whole numbers from 0, `[n]` or `[n, 1]`, or one-hot rows.
 *
 * @param path named in error messages
 * @throws {DataError} when an array is missing, damaged, of the wrong dtype or shape, when lengths disagree, a label
 *   is out of range, an image value is not finite, or train and test do not match.
 */
export async function parseDataset(bytes: Uint8Array, path: string, tell?: Tell): Promise<Dataset> {
  const archive = await openNpz(bytes, path);
  if (!bringsTest(archive, path)) return { train: readExamples(archive, { path, x: 'x', y: 'y', tell }) };
  const train = readExamples(archive, { path, x: 'x_train', y: 'y_train', tell });
  const test = readExamples(archive, { path, x: 'x_test', y: 'y_test' });
  const [expected, found] = [describeImages(train), describeImages(test)];
  if (expected !== found) {
    const mend = likeTrainLine(path, train, test);
    throw new DataError({ file: path, expected: `x_test to have ${expected} like x_train`, found, mend });
  }
  return { train, test };
}

const describeImages = ({ images, shape }: Examples) =>
  `${imageDtype(images)} images ${formatShape(shape.slice(1))}`;

/** Makes x_test like x_train, where only their types or the extents of length 1 differ. */
function likeTrainLine(path: string, train: Examples, test: Examples): string | undefined {
  const one = train.shape.slice(1);
  if (sizeOf(one) !== sizeOf(test.shape.slice(1))) return undefined;
  const [dtype, from] = [imageDtype(train.images), imageDtype(test.images)];
  const isUnit = (images: Examples['images']) => images.every((value) => value <= 1);
  let values = 'd["x_test"]';
  if (dtype === 'uint8' && from !== 'uint8' && isUnit(test.images)) values = `(${values} * 255).round()`;
  if (dtype !== 'uint8' && from === 'uint8' && isUnit(train.images)) values = `(${values} / 255)`;
  const change = `${values}.reshape(-1, ${one.join(', ')}).astype("${dtype}")`;
  return npzLine(path, `d["x_test"] = ${change}`);
}

/** True for four arrays, false for `x` and `y`. @throws {DataError} where neither are all there */
function bringsTest(archive: NpzArchive, path: string): boolean {
  const has = (name: string) => archive.names.includes(name);
  if (!FOUR.every(has) && has('x') && has('y')) return false;
  requireArrays(archive, path, FOUR);
  return true;
}

/** How a shard is read. */
export interface ShardOptions {
  /** Which part of a whole dataset stands in for a shard, where one is given. Without it such a file is refused. */
  readonly part?: 'train' | 'test';
  readonly tell?: Tell;
}

/** Reads a shard (or a test set): arrays `x`, `y`. @throws {DataError} as `parseDataset`. */
export async function readShard(path: string, options: ShardOptions = {}): Promise<Examples> {
  return parseShard(await readFileBytes(path, SHARD), path, options);
}

/** What error messages call it. */
const SHARD = 'a shard (npz)';

/** Reads a shard so that threads can share it; `uint8` images are not copied on the way. @throws {DataError} likewise */
export async function readSharedShard(path: string, options: ShardOptions = {}): Promise<Examples> {
  const { shape, images, labels } = await parseShard(await readFileShared(path, SHARD), path, options);
  return { shape, images: shareImages(images), labels: shareArray(labels, Int32Array) };
}

async function parseShard(
  bytes: Uint8Array,
  path: string,
  { part, tell = silent }: ShardOptions,
): Promise<Examples> {
  const archive = await openNpz(bytes, path);
  const [x, y] = [`x_${part}`, `y_${part}`];
  if (!archive.names.includes('x') && archive.names.includes(x) && archive.names.includes(y)) {
    tell(
      `${path} is a whole dataset: its ${part === 'test' ? 'test' : 'training'} part (${x}, ${y}) is taken`,
    );
    return readExamples(archive, { path, x, y, tell });
  }
  requireArrays(archive, path, ['x', 'y']);
  return readExamples(archive, { path, x: 'x', y: 'y', tell });
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
  const mend = renameLine(file, archive.names);
  throw new DataError({ file, expected, found: listNames(archive.names), mend });
}

interface Names {
  readonly path: string;
  readonly x: string;
  readonly y: string;
  readonly tell?: Tell | undefined;
}

function readExamples(archive: NpzArchive, { path, x, y, tell = silent }: Names): Examples {
  const fault = faultIn(path);
  const { shape, images } = imagesOf(archive.read(x), { file: path, name: x, fault, tell });
  const labels = labelsOf(archive.read(y), { file: path, name: y, fault, tell });
  if (labels.length !== shape[0])
    throw fault(`${shape[0]} labels in ${y}, one for each image of ${x}`, `${labels.length}`);
  if (labels.length === 0) throw fault(`at least one example in ${x}`, 'none');
  return { shape, images, labels };
}

const silent: Tell = () => undefined;

const faultIn =
  (file: string): Fault =>
  (expected, found, mend) =>
    new DataError({ file, expected, found, mend });
