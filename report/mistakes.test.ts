/** The examples of mistakes, read out of the test file: pictures in their own scale, features by their names. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import sharp from 'sharp';
import { onlyTargets } from '../lib/federation/examples.js';
import { writeShard } from '../lib/formats/data/shard-file.js';
import { sampleRecords } from '../test/sample-records.js';
import { temporaryDirectory } from '../test/temporary-directory.js';
import { readMistakes } from './mistakes.js';

const { manifest } = sampleRecords();
assert.ok(manifest !== undefined);
const { image: _, ...withoutImage } = manifest;
const MISTAKES = [2, 0, 99].map((example) => ({ example, loss: 1, label: 1, predicted: 0 }));

const targets = onlyTargets({ shape: [3], values: Int32Array.of(0, 1, 1) });

test('images become pictures: grey and coloured, of bytes and of any scale, large ones smaller', async (t) => {
  const file = join(await temporaryDirectory(t), 'test.npz');
  const pixelsOf = async (png: string | undefined) => {
    const { data, info } = await sharp(Buffer.from(png ?? '', 'base64'))
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { size: [info.width, info.height], first: [...data.subarray(0, 3)] };
  };
  const read = async (
    shape: readonly number[],
    values: Uint8Array | Float32Array,
    image: NonNullable<typeof manifest.image>,
  ) => {
    await writeShard(file, { inputs: [{ name: 'x', shape, values }], targets });
    return await readMistakes(MISTAKES, { manifest: { ...manifest, image }, test: file });
  };
  const bytes = Uint8Array.from({ length: 3 * 6 }, (_, at) => at * 10);
  const [third, first, none] = await read([3, 2, 3], bytes, { shape: [2, 3], dtype: 'uint8' });
  assert.deepEqual(await pixelsOf(third?.png), { size: [3, 2], first: [120, 120, 120] });
  assert.deepEqual((await pixelsOf(first?.png)).first, [0, 0, 0]);
  assert.equal(none?.png, undefined);
  const coloured = Float32Array.from({ length: 3 * 1 * 1 * 3 }, (_, at) => [-1, 0, 1][at % 3] as number);
  const [colour] = await read([3, 1, 1, 3], coloured, { shape: [1, 1, 3], dtype: 'float32', scale: '-1..1' });
  assert.deepEqual((await pixelsOf(colour?.png)).first, [0, 128, 255]);
  const [large] = await read([3, 200, 100], new Uint8Array(3 * 20_000), {
    shape: [200, 100],
    dtype: 'uint8',
  });
  assert.deepEqual((await pixelsOf(large?.png)).size, [25, 50]);
});

test('a few numbers become features by name; where there is no such file, the mistakes are told alone', async (t) => {
  const file = join(await temporaryDirectory(t), 'test.npz');
  const values = Float32Array.of(1, 2, 3, 4, 5, 6);
  await writeShard(file, { inputs: [{ name: 'x', shape: [3, 2], values }], targets });
  const inputs = [{ name: 'x', shape: [2], dtype: 'float32' as const, columns: ['age', 'weight'] }];
  const read = (test: string) => readMistakes(MISTAKES, { manifest: { ...withoutImage, inputs }, test });
  const [third] = await read(file);
  assert.deepEqual(third?.features, [
    ['age', 5],
    ['weight', 6],
  ]);
  assert.deepEqual(await read(`${file}.gone`), MISTAKES);
});
