/** Tests of the manifest: written for people, read back whole, refused when it does not add up. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { DataError } from '../core/errors.js';
import { type Manifest, readManifest, writeManifest } from './manifest.js';

const part = (file: string, labelHistogram: number[]) => ({
  file,
  examples: labelHistogram.reduce((sum, count) => sum + count, 0),
  labelHistogram,
  sizeBytes: 1234,
  sha256: 'ab'.repeat(32),
});

const manifest: Manifest = {
  schemaVersion: 1,
  dataset: { file: 'odd [1,  2].npz', sha256: '0f'.repeat(32), testFraction: 0.1 },
  partition: { scheme: 'iid', minExamples: 1, seed: 7 },
  classes: 3,
  image: { shape: [28, 28], dtype: 'uint8' },
  shards: [part('0.npz', [2, 0, 1]), part('1.npz', [0, 3, 0])],
  test: part('test.npz', [1, 0, 0]),
};

test('a manifest is read back as it was written, with a line for each histogram', async (t) => {
  const path = join(await temporaryDirectory(t), 'manifest.json');
  await writeManifest(path, manifest);
  assert.deepEqual(await readManifest(path), manifest);
  assert.match(await readFile(path, 'utf8'), /^ {6}"labelHistogram": \[2, 0, 1\],$/m);
});

const INPUT = {
  ...{ name: 'x', shape: [1], dtype: 'float32' },
  statistics: { values: 9, mean: [1], variance: [2], least: [0], most: [3] },
};

const faults: readonly (readonly [string, unknown, RegExp])[] = [
  ['another version', { ...manifest, schemaVersion: 2 }, /a fault at schemaVersion: /],
  ['no shards', { ...manifest, shards: [] }, /a fault at shards: /],
  [
    'shards out of order',
    { ...manifest, shards: [...manifest.shards].reverse() },
    /shards\.0\.file: expected 0\.npz/,
  ],
  ['a path that leads out', { ...manifest, test: part('../test.npz', [1, 0, 0]) }, /at test\.file: /],
  ['a shard as test set', { ...manifest, test: part('0.npz', [1, 0, 0]) }, /test\.file: expected test\.npz/],
  [
    'a wrong sum',
    { ...manifest, test: { ...manifest.test, examples: 2 } },
    /test\.labelHistogram: expected 3 counts that sum to 2/,
  ],
  ['a missing class', { ...manifest, classes: 4 }, /shards\.0\.labelHistogram: expected 4 counts/],
  ['a bad hash', { ...manifest, test: { ...manifest.test, sha256: 'x' } }, /test\.sha256: expected 64 hex/],
  [
    'a mean without its variance',
    { ...manifest, inputs: [{ ...INPUT, statistics: { ...INPUT.statistics, variance: [] } }] },
    /inputs\.0\.statistics: expected as many numbers in each list/,
  ],
  ['a list', [], /a fault at its top level: /],
];

for (const [name, content, message] of faults) {
  test(`a manifest with ${name} is refused`, async (t) => {
    const path = join(await temporaryDirectory(t), 'manifest.json');
    await writeFile(path, JSON.stringify(content));
    await assert.rejects(readManifest(path), (error: Error) => {
      assert.ok(error instanceof DataError);
      assert.match(error.message, message);
      return error.message.startsWith(path);
    });
  });
}

test('a manifest that is missing or cut off is refused', async (t) => {
  const path = join(await temporaryDirectory(t), 'manifest.json');
  await assert.rejects(readManifest(path), /expected the manifest of a split, found no such file/);
  await writeFile(path, '{"schemaVersion": 1,');
  await assert.rejects(
    readManifest(path),
    /expected the manifest of a split \(schema version 1\), found no JSON \(/,
  );
});
