import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { DEFAULT_DIGITS, generateDigits } from '../datasets/digits/generate.js';
import { labelHistogram, labelledImages } from '../lib/federation/examples.js';
import { DEFAULT_TEST_FRACTION, type PartitionSettings } from '../lib/federation/partition/settings.js';
import { readDataset } from '../lib/formats/data/dataset.js';
import { encodeNpz } from '../lib/formats/data/npz.js';
import { writeShard } from '../lib/formats/data/shard-file.js';
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { silentReporter } from '../lib/observability/events.js';
import { namedLabels, requirePossibleSplit } from '../pipeline/preflight.js';
import { splitDataset } from '../splitter/split.js';
import { findMnist, partsOf } from './datasets.js';
import { partitionSettings } from './settings.js';
import { sharedDirectory } from './temporary-directory.js';

const directory = sharedDirectory();
/** Labels 0 to 3, 10 of each; three clients by `writer`, who have 38, 1 and 1 examples. */
const labels = Int32Array.from({ length: 40 }, (_, index) => index % 4);
const images = new Uint8Array(40 * 4);
const owned = join(directory, 'owned.npz');
await writeFileAtomic(
  owned,
  await encodeNpz([
    { name: 'x', shape: [40, 2, 2], values: images },
    { name: 'y', shape: [40], values: labels },
    { name: 'writer', shape: [40], values: Int32Array.from(labels, (_, index) => Math.max(0, index - 37)) },
    { name: 'short', shape: [39], values: labels.subarray(1) },
  ]),
);
const given = join(directory, 'given');
await mkdir(given);
for (const [client, count] of [30, 4, 6].entries()) {
  const examples = labelledImages([count, 2, 2], images.subarray(0, count * 4), labels.subarray(0, count));
  await writeShard(join(given, `${client}.npz`), examples);
}

/** The refusal, or what is neither. */
async function refusal(task: () => Promise<unknown>): Promise<string> {
  return await task().then(
    () => 'taken',
    (error: Error) => `${error.name}: ${error.message}`,
  );
}

const by = (...settings: Parameters<typeof partitionSettings>): PartitionSettings =>
  partitionSettings(...settings);
describe('what a run refuses before it begins is what the splitter refuses, in the same words', () => {
  for (const [what, data, clients, partition, expected] of [
    ['clients that find an example each', owned, 36, by('iid'), /^taken$/],
    [
      'more clients than examples',
      owned,
      37,
      by('iid'),
      /^UsageError: Expected at most 36 clients for 36 train/,
    ],
    ['more examples each than there are', owned, 4, by('strided', { minExamples: 10 }), /at most 3 clients/],
    ['as many labels as there are', owned, 3, by('label-skew', { labelsPerClient: 4 }), /^taken$/],
    [
      'more labels than there are',
      owned,
      3,
      by('label-skew', { labelsPerClient: 5 }),
      /at most 4 labels per client/,
    ],
    [
      'labels that nobody would hold',
      owned,
      1,
      by('label-skew', { labelsPerClient: 3 }),
      /Cannot place 4 labels/,
    ],
    [
      'more pieces than examples',
      owned,
      4,
      by('pathological', { piecesPerClient: 10 }),
      /Cannot deal 10 pieces/,
    ],
    [
      'draws that leave too little',
      owned,
      9,
      by('dirichlet', { alpha: 0.01, minExamples: 4 }),
      /with alpha 0\.01/,
    ],
    [
      'a key with too few examples',
      owned,
      3,
      by('by-key', { key: 'writer', minExamples: 2 }),
      /Client \d \(\d\) has/,
    ],
    [
      'a key that is not for all',
      owned,
      4,
      by('by-key', { key: 'short' }),
      /^DataError: .*expected 40 keys in short/,
    ],
    [
      'a shard with too few',
      given,
      3,
      by('given', { minExamples: 5 }),
      /Client 1 \(1\.npz\) has \d training exam/,
    ],
    ['shards that have enough', given, 3, by('given', { minExamples: 2 }), /^taken$/],
  ] as const) {
    test(what, async () => {
      const settings = {
        dataset: { name: data },
        seed: 1,
        training: { batch: 1, optimizer: 'sgd' },
      } as const;
      const federation = { clients, rounds: 1, fraction: 1, minClients: 1, partition };
      const said = await refusal(() => requirePossibleSplit({ ...settings, federation }));
      assert.match(said, expected);
      const savedir = join(directory, what.replaceAll(' ', '-'));
      const facts = { data, savedir, clients, partition, testFraction: DEFAULT_TEST_FRACTION, seed: 1 };
      assert.equal(said, await refusal(() => splitDataset({ ...facts, reporter: silentReporter })));
    });
  }
});

describe('the labels of a named dataset are known without it', () => {
  const counts = (name: string) => [...labelHistogram(namedLabels(name) ?? new Int32Array(0), 10)];

  test('digits', async () => {
    const { train } = await generateDigits({ ...DEFAULT_DIGITS, test: 1 });
    assert.deepEqual(counts('digits'), [...labelHistogram(partsOf(train).labels, 10)]);
  });

  const mnist = findMnist();
  test('mnist', { skip: mnist === undefined ? 'no MNIST here' : false }, async () => {
    const { train, test: held } = await readDataset(mnist as string);
    assert.notEqual(held, undefined);
    assert.deepEqual(counts('mnist'), [...labelHistogram(partsOf(train).labels, 10)]);
  });

  test('a path is none', () => assert.equal(namedLabels('/data/digits'), undefined));
});
