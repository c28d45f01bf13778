/** Images and labels in the IDX format, as MNIST and its relatives are distributed: a pair of files, or two, gzipped or not. */
import { basename, dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { DataError } from '../../core/errors.js';
import { errorCode } from '../../core/system-errors.js';
import { sizeOf } from '../../core/weights.js';
import { type NpyRows, rowsOfArray } from '../data/npy.js';
import { exists, inflateBudget, isGzip, readFileBytes } from '../files/read-file.js';
import {
  archiveOfParts,
  type DataPlace,
  type FoundData,
  type SourceKind,
  withoutTwins,
} from './source-kind.js';

/** The format: http://yann.lecun.com/exdb/mnist/, "the IDX file format". */
export const idx: SourceKind = {
  async find(place) {
    const train = await trainingPair(place);
    if (train === undefined) return undefined;
    const test = await testPair(train);
    return {
      title: test === undefined ? 'IDX files' : 'IDX files with test images',
      files: [train, test ?? []].flatMap((pair) => Object.values(pair)),
      read: async () => ({ arrays: await readPairs(train, test), facts: {} }),
    } satisfies FoundData;
  },
};

/** Two files that belong together. */
interface Pair {
  readonly images: string;
  readonly labels: string;
}

const IMAGES = /images([-.])idx3/;
const LABELS = /labels([-.])idx1/;
const TEST = /t10k|test/;

/** The pair that is meant: of a folder that for training. @throws {DataError} where half of it is missing, or a folder has several */
async function trainingPair({ path, entries, head }: DataPlace): Promise<Pair | undefined> {
  if (entries !== undefined) {
    const names = entries.map(({ name }) => name).filter((name) => IMAGES.test(name) && !TEST.test(name));
    const [name, another] = withoutTwins(names);
    if (name === undefined) return undefined;
    if (another === undefined) return pairOfImages(join(path, name));
    const found = `${name} and ${another}`;
    throw new DataError({ file: path, expected: 'IDX files of one dataset', found });
  }
  const isZipped = isGzip(head);
  const kind = isZipped ? undefined : head.subarray(0, 4).toString('hex');
  const name = basename(path);
  if (kind === '00000803' || (isZipped && IMAGES.test(name))) return pairOfImages(path);
  if (kind !== '00000801' && !(isZipped && LABELS.test(name))) return undefined;
  const images = await present(sibling(path, LABELS, 'images$1idx3'));
  if (images !== undefined) return { images, labels: path };
  throw new DataError({ file: path, expected: 'the images of these labels beside them', found: 'none' });
}

async function pairOfImages(images: string): Promise<Pair> {
  const wanted = sibling(images, IMAGES, 'labels$1idx1');
  const labels = await present(wanted);
  if (labels !== undefined) return { images, labels };
  const name = basename(images);
  const expected = wanted.length > 0 ? `its labels ${basename(wanted[0] as string)} beside it` : 'labels';
  const found =
    wanted.length > 0 ? 'none' : `a name that tells of none (${name}; like train-images-idx3-ubyte)`;
  throw new DataError({ file: images, expected, found });
}

/** The pair for the test, where it lies beside that for training. */
async function testPair({ images }: Pair): Promise<Pair | undefined> {
  const names = ['t10k', 'test'].flatMap((test) => sibling(images, /train/, test));
  const found = await present(names);
  return found === undefined ? undefined : pairOfImages(found);
}

/** The same path with another word in the name, gzipped or not; none where the name does not have the word. */
function sibling(path: string, word: RegExp, other: string): readonly string[] {
  const name = basename(path);
  if (!word.test(name)) return [];
  const plain = join(dirname(path), name.replace(word, other).replace(/\.gz$/, ''));
  const zipped = `${plain}.gz`;
  return name.endsWith('.gz') ? [zipped, plain] : [plain, zipped];
}

async function present(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await exists(path)) return path;
  return undefined;
}

async function readPairs(train: Pair, test: Pair | undefined) {
  const parts = { train: await readPair(train), test: test && (await readPair(test)) };
  return archiveOfParts(parts, train.images);
}

async function readPair({ images, labels }: Pair) {
  const [x, y] = [await readIdx(images, { rank: 3 }), await readIdx(labels, { rank: 1 })];
  const [count] = x.shape;
  if (y.shape[0] === count) return { x, y };
  const expected = `${count} labels, one for each image of ${basename(images)}`;
  throw new DataError({ file: labels, expected, found: `${y.shape[0]}` });
}

/** @throws {DataError} for another format, rank or length than the head of the file says */
async function readIdx(path: string, { rank }: { readonly rank: number }): Promise<NpyRows> {
  const bytes = inflated(await readFileBytes(path, 'an IDX file'), path);
  const fault = (expected: string, found: string) => new DataError({ file: path, expected, found });
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const start = 4 + 4 * rank;
  if (head.length < start) throw fault(`the head of an IDX file, ${start} bytes`, `${head.length}`);
  const [zero, zeroToo, type, found] = head;
  if (zero !== 0 || zeroToo !== 0 || type !== 8 || found !== rank) {
    const magic = `0x${head.toString('hex', 0, 4)}`;
    throw fault(`unsigned bytes of rank ${rank} in the IDX format (0x0000080${rank})`, magic);
  }
  const shape = Array.from({ length: rank }, (_, axis) => head.readUInt32BE(4 + 4 * axis));
  const sizeBytes = sizeOf(shape);
  if (bytes.length - start === sizeBytes)
    return rowsOfArray({
      dtype: 'uint8',
      shape,
      values: new Uint8Array(bytes.buffer, bytes.byteOffset + start, sizeBytes),
    });
  throw fault(`${sizeBytes} bytes for ${shape.join(' × ')}`, `${bytes.length - start}`);
}

function inflated(bytes: Uint8Array, file: string): Uint8Array {
  if (!isGzip(bytes)) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: inflateBudget(bytes.length) });
  } catch (cause) {
    const isTooLarge = errorCode(cause) === 'ERR_BUFFER_TOO_LARGE';
    const found = isTooLarge ? 'data that grow beyond all measure' : 'damaged data';
    throw new DataError({ file, expected: 'a gzip file', found }, { cause });
  }
}
