/** Tests of IDX files: pairs found by their names, plain and gzipped, alone and in a folder; what is refused. */
import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { loadWhole, partsOf } from '../../../test/datasets.js';
import { partitionSettings } from '../../../test/settings.js';
import { temporaryDirectory } from '../../../test/temporary-directory.js';
import { openSource, sha256OfDataset } from '../data/dataset-source.js';

const IID = partitionSettings('iid');

/** An IDX file of unsigned bytes. */
function idxOf(shape: readonly number[], values: Iterable<number>, type = 8): Buffer {
  const head = Buffer.alloc(4 + 4 * shape.length);
  head.set([0, 0, type, shape.length]);
  for (const [axis, extent] of shape.entries()) head.writeUInt32BE(extent, 4 + 4 * axis);
  return Buffer.concat([head, Buffer.from([...values])]);
}

const bytes = (count: number, from: number) =>
  Array.from({ length: count }, (_, at) => (from + at * 7) & 255);
const TRAIN = { images: idxOf([6, 3, 4], bytes(72, 1)), labels: idxOf([6], [0, 1, 2, 0, 1, 2]) };
const TEST = { images: idxOf([2, 3, 4], bytes(24, 100)), labels: idxOf([2], [2, 1]) };

/** Writes files by their names; the directory. */
async function write(directory: string, files: Readonly<Record<string, Buffer>>): Promise<string> {
  await mkdir(directory, { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content);
  return directory;
}

/** The names under which LeCun, Zalando and NIST distribute them. */
const NAMINGS = [
  ['train-images-idx3-ubyte', 't10k-images-idx3-ubyte'],
  ['train-images.idx3-ubyte', 't10k-images.idx3-ubyte'],
  ['train-images-idx3-ubyte.gz', 't10k-images-idx3-ubyte.gz'],
  ['emnist-letters-train-images-idx3-ubyte.gz', 'emnist-letters-test-images-idx3-ubyte.gz'],
] as const;

test('images, labels and the test are found by the names under which they are distributed', async (t) => {
  const directory = await temporaryDirectory(t);
  for (const [at, [train, held]] of NAMINGS.entries()) {
    const packed = (content: Buffer) => (train.endsWith('.gz') ? gzipSync(content) : content);
    const labels = (name: string) => name.replace('images', 'labels').replace('idx3', 'idx1');
    const folder = await write(join(directory, `${at}`), {
      [train]: packed(TRAIN.images),
      [labels(train)]: packed(TRAIN.labels),
      [held]: packed(TEST.images),
      [labels(held)]: packed(TEST.labels),
    });
    const hashes = new Set<string>();
    for (const data of [folder, join(folder, train), join(folder, labels(train))]) {
      const source = await openSource(data, IID);
      const found = await loadWhole(source);
      assert.deepEqual(partsOf(found.train).shape, [6, 3, 4], data);
      assert.deepEqual([...(partsOf(found.train).images as Uint8Array)], bytes(72, 1));
      assert.deepEqual([...partsOf(found.train).labels], [0, 1, 2, 0, 1, 2]);
      assert.ok(found.test !== undefined);
      assert.deepEqual([...(partsOf(found.test).images as Uint8Array)], bytes(24, 100));
      assert.deepEqual([...partsOf(found.test).labels], [2, 1]);
      assert.equal(await sha256OfDataset(data, ''), await source.sha256());
      hashes.add(await source.sha256());
    }
    assert.equal(hashes.size, 1, 'the same data by any of their names');
    await rm(join(folder, held));
    const { test: none } = await loadWhole(await openSource(folder, IID));
    assert.equal(none, undefined);
    assert.ok(!hashes.has(await sha256OfDataset(folder, '')), 'other files, another hash');
  }
});

test('what is not whole is refused by its file, with what was expected there', async (t) => {
  const directory = await temporaryDirectory(t);
  const [images, labels] = ['train-images-idx3-ubyte', 'train-labels-idx1-ubyte'];
  const cases: readonly (readonly [RegExp, Readonly<Record<string, Buffer>>])[] = [
    [
      /train-images-idx3-ubyte: expected its labels train-labels-idx1-ubyte beside it, found none/,
      { [images]: TRAIN.images },
    ],
    [
      /images: expected labels, found a name that tells of none \(images; like train-/,
      { images: TRAIN.images },
    ],
    [/train-labels-idx1-ubyte: expected the images of these labels beside them/, { [labels]: TRAIN.labels }],
    [
      /labels-idx1-ubyte: expected 6 labels, one for each image of train-images-idx3-ubyte, found 2/,
      { [images]: TRAIN.images, [labels]: TEST.labels },
    ],
    [
      /images-idx3-ubyte: expected 72 bytes for 6 × 3 × 4, found 70/,
      { [images]: TRAIN.images.subarray(0, -2), [labels]: TRAIN.labels },
    ],
    [
      /labels-idx1-ubyte: expected the head of an IDX file, 8 bytes, found 5/,
      { [images]: TRAIN.images, [labels]: TRAIN.labels.subarray(0, 5) },
    ],
    [
      /labels-idx1-ubyte: expected unsigned bytes of rank 1 .*, found 0x00000901/,
      { [images]: TRAIN.images, [labels]: idxOf([6], bytes(6, 0), 9) },
    ],
    [
      /images-idx3-ubyte\.gz: expected a gzip file, found damaged data/,
      { [`${images}.gz`]: gzipSync(TRAIN.images).subarray(0, 30), [labels]: TRAIN.labels },
    ],
  ];
  for (const [at, [expected, files]] of cases.entries()) {
    const folder = await write(join(directory, `${at}`), files);
    const file = join(folder, Object.keys(files)[0] as string);
    await assert.rejects(
      async () => loadWhole(await openSource(file, IID)),
      (error: Error) =>
        (error.name === 'DataError' && expected.test(error.message)) || assert.fail(error.message),
    );
  }
  const two = await write(join(directory, 'two'), {
    'a-train-images-idx3-ubyte': TRAIN.images,
    'b-train-images-idx3-ubyte': TRAIN.images,
  });
  await assert.rejects(
    openSource(two, IID),
    /two: expected IDX files of one dataset, found a-train.* and b-train/,
  );
});
