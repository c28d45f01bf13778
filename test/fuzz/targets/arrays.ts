/** Arrays and datasets of them: npy, npz in memory and in pieces, IDX. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { openSource } from '../../../lib/formats/data/dataset-source.js';
import { decodeNpy, encodeNpy, MOST_HEAD_BYTES, npyLayout } from '../../../lib/formats/data/npy.js';
import { encodeNpz, openNpz } from '../../../lib/formats/data/npz.js';
import { openLargeNpz } from '../../../lib/formats/data/streamed/npz-rows.js';
import { buildZip } from '../../hostile-files.js';
import { partitionSettings } from '../../settings.js';
import { filesOf } from '../corpus.js';
import { changed, changedInPlace, type Reshape } from '../mutate.js';
import { gzipped, wordsOf, zipEntries } from '../reshape.js';
import { type MakeTarget, readAll } from '../target.js';

const NPY_WORDS = [
  ...wordsOf(
    '\x93NUMPY\x01\x00',
    '\x93NUMPY\x02\x00',
    '\x93NUMPY\x03\x00',
    "'descr': ",
    "'fortran_order': True",
  ),
  ...wordsOf(
    "'shape': ",
    '(0,)',
    '()',
    '(1, 0, 3)',
    '(4294967296,)',
    '(2, 2, 2, 2)',
    "'|O'",
    "'<U4'",
    "'<f8'",
  ),
  ...wordsOf("'>i8'", "'|b1'", "'<f2'", "'|V8'", "'<M8[ns]'", "[('a', '<f4')]", '}', '\n', ' ', '{'),
];

/** One array, whole and by its layout. */
export const npy: MakeTarget = async () => ({
  seeds: await filesOf('lib/formats/fixtures/npy', /\.npy$/),
  words: NPY_WORDS,
  reshape: npyParts,
  read: (bytes) =>
    readAll(
      () => decodeNpy(bytes, { file: 'input.npy' }),
      () => decodeOfLayout(bytes),
    ),
});

const NPY_START = 10;

/** What a header says, padded as it was; or the numbers behind it. */
const npyParts: Reshape = (bytes, ingredients) => {
  if (bytes[0] !== 0x93 || bytes.length < NPY_START) return undefined;
  const from = NPY_START + bytes.readUInt16LE(NPY_START - 2);
  const [head, numbers] = [bytes.subarray(NPY_START, from), bytes.subarray(from)];
  if (ingredients.random.uniform() < 0.4)
    return Buffer.concat([bytes.subarray(0, from), changedInPlace(numbers, ingredients)]);
  const said = changed(Buffer.from(head.toString('latin1').trimEnd(), 'latin1'), ingredients);
  const padded = Buffer.concat([said, Buffer.alloc(Math.max(1, head.length - said.length), ' ')]);
  padded[padded.length - 1] = 0x0a;
  const length = Buffer.alloc(2);
  length.writeUInt16LE(padded.length & 0xffff);
  return Buffer.concat([bytes.subarray(0, NPY_START - 2), length, padded, numbers]);
};

function decodeOfLayout(bytes: Uint8Array): void {
  const head = bytes.subarray(0, MOST_HEAD_BYTES);
  const layout = npyLayout(head, bytes.length, { file: 'input.npy', array: 'x' });
  const room = new Uint8Array(layout.roomBytes + bytes.length - layout.dataOffset);
  room.set(bytes.subarray(layout.dataOffset), layout.roomBytes);
  layout.decode(room.buffer);
}

const IID = partitionSettings('iid');
/** An array that the splitter and the trainer look for. */
const ARRAYS = ['x', 'y', 'x_train', 'y_train', 'x_test', 'y_test', 'w', 'owner', 'x/a', 'y/b'];

/** A dataset: every array, in memory and in pieces, and as the splitter opens it. */
export const npz: MakeTarget = async (directory) => {
  const file = join(directory, 'input.npz');
  return {
    seeds: [
      ...(await filesOf('lib/formats/fixtures/npy', /\.npz$/)),
      ...(await datasets()),
      buildZip([{ name: 'x.npy', data: encodeNpy(new Float32Array(4), [2, 2]) }]),
    ],
    words: [...NPY_WORDS, ...wordsOf('PK\x03\x04', 'PK\x01\x02', 'PK\x05\x06', 'PK\x06\x06', 'PK\x06\x07')],
    reshape: zipEntries(() => renamed),
    async read(bytes) {
      await writeFile(file, bytes);
      await readAll(
        async () => {
          const archive = await openNpz(bytes, file);
          await readAll(...archive.names.map((name) => () => archive.read(name)));
        },
        async () => {
          const archive = await openLargeNpz(file, -1);
          await readAll(
            ...(archive?.names ?? []).map((name) => async () => {
              for await (const _ of (await archive?.rows(name))?.pieces() ?? []);
            }),
          );
        },
        async () => (await openSource(file, IID)).load(),
      );
    },
  };
};

/** Now and then an array of another dtype and shape stands in the entry. */
const renamed: Reshape = (bytes, ingredients) => {
  const { random } = ingredients;
  const drawn = random.uniform();
  if (drawn < 0.5) return npyParts(bytes, ingredients);
  if (drawn < 0.8) return changed(bytes, ingredients);
  const count = random.integer(0, 8);
  const values = [new Uint8Array(count), new Int32Array(count), new Float32Array(count).fill(Number.NaN)];
  return encodeNpy(
    values[random.integer(0, 2)] as Float32Array,
    random.uniform() < 0.5 ? [count] : [count, 1],
  );
};

async function datasets(): Promise<readonly Uint8Array[]> {
  const images = { name: 'x', shape: [4, 2, 2], values: Uint8Array.from({ length: 16 }, (_, at) => at * 16) };
  const labels = { name: 'y', shape: [4], values: Int32Array.of(0, 1, 0, 1) };
  const numbers = { name: 'y', shape: [4, 2], values: Float32Array.from({ length: 8 }, (_, at) => at / 3) };
  const weights = { name: 'weights', shape: [4], values: new Float32Array(4).fill(0.5) };
  return Promise.all([
    encodeNpz([images, labels]),
    encodeNpz([images, numbers, weights]),
    encodeNpz(
      ['train', 'test'].flatMap((part) =>
        [images, labels].map((each) => ({ ...each, name: `${each.name}_${part}` })),
      ),
    ),
    encodeNpz([{ ...images, name: 'x/a' }, { ...numbers, name: 'x/b' }, labels]),
    encodeNpz(ARRAYS.map((name) => ({ ...labels, name }))),
  ]);
}

/** Labels and images in one input, each behind its length: two files that belong together. */
export const idx: MakeTarget = async (directory) => {
  const images = join(directory, 'train-images-idx3-ubyte');
  const labels = join(directory, 'train-labels-idx1-ubyte');
  const pixels = Buffer.from([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8]);
  const classes = Buffer.from([0, 0, 8, 1, 0, 0, 0, 2, 0, 1]);
  const pair = (first: Uint8Array, second: Uint8Array) => {
    const length = Buffer.alloc(2);
    length.writeUInt16LE(first.length);
    return Buffer.concat([length, first, second]);
  };
  return {
    seeds: [
      pair(classes, pixels),
      pair(gzipSync(classes), pixels),
      pair(classes, gzipSync(pixels)),
      pair(classes, gzipSync(Buffer.alloc(60_000))),
    ],
    words: [
      Buffer.from([0, 0, 8, 3]),
      Buffer.from([0, 0, 8, 1]),
      Buffer.from([0, 0, 13, 3]),
      Buffer.from([31, 139, 8]),
    ],
    reshape(bytes, ingredients) {
      if (bytes.length < 2) return undefined;
      const [first, second] = halves(bytes);
      const change = (own: Buffer) =>
        gzipped(own, ingredients) ??
        (ingredients.random.uniform() < 0.5 ? changed : changedInPlace)(own, ingredients);
      return ingredients.random.uniform() < 0.5 ? pair(change(first), second) : pair(first, change(second));
    },
    async read(bytes) {
      const [first, second] = halves(Buffer.from(bytes));
      await Promise.all([writeFile(labels, first), writeFile(images, second)]);
      await readAll(async () => (await openSource(images, IID)).load());
    },
  };
};

function halves(bytes: Buffer): readonly [Buffer, Buffer] {
  const end = 2 + (bytes.length < 2 ? 0 : bytes.readUInt16LE(0));
  return [bytes.subarray(2, end), bytes.subarray(end)];
}
