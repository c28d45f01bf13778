/** How much memory the programs take for large models and for many updates, and files past 4 GiB: whole processes. */
import assert from 'node:assert/strict';
import { stat, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { sampleProcess } from '../bench/measure.js';
import { randomStream } from '../lib/core/random.js';
import { sizeOf, type WeightArray } from '../lib/core/weights.js';
import type { UpdateFacts } from '../lib/federation/client-update.js';
import { labelledImages } from '../lib/federation/examples.js';
import { writeShard } from '../lib/formats/data/shard-file.js';
import { withOpenFile } from '../lib/formats/files/byte-source.js';
import { LARGE_ARRAY_BYTES } from '../lib/formats/hdf5/hdf5-library.js';
import { isPlaced, KERAS_FILE, type KerasFile, NO_VALUES } from '../lib/formats/keras/keras-file.js';
import { readKerasFrom, writeLargeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { programPath } from './programs.js';
import { temporaryDirectory } from './temporary-directory.js';

const MB = 1e6;
/** What an aggregation may take, whatever the models' size and number. */
const MOST_AGGREGATING = 300 * MB;
/** What a training may take, as a multiple of the model's file: Adam holds three times the weights. */
const MOST_TRAINING = 6;
/** What a simulation of 10,000 updates may take. */
const MOST_SIMULATING = 300 * MB;

const fedbatch = (...args: readonly string[]) =>
  sampleProcess(process.execPath, [programPath('cli'), ...args]);

const told = (bytes: number) => `${(bytes / MB).toFixed(0)} MB`;

/** A network of dense layers: `units` wide, `layers` times after the first. */
function networkOf({ units, layers }: { readonly units: number; readonly layers: number }): KerasFile {
  const dense = Array.from({ length: layers + 1 }, (_, at) => ({
    name: `dense_${at}`,
    inputs: at === 0 ? 8 : units,
  }));
  return {
    kerasVersion: '2.15.0',
    modelConfig: {
      class_name: 'Sequential',
      config: {
        name: 'sequential',
        layers: dense.map(({ name, inputs }, at) => ({
          class_name: 'Dense',
          config: {
            ...{ name, units, use_bias: false, activation: 'linear' },
            ...(at === 0 ? { batch_input_shape: [null, inputs] } : {}),
          },
        })),
      },
    },
    weights: dense.map(({ name, inputs }) => ({
      ...{ name: `${name}/kernel:0`, shape: [inputs, units], values: NO_VALUES },
    })),
  };
}

/** So many numbers at each end of a large array are not 0: the rest is a hole in the file, and takes no room on the disk. */
const END = 1000;

const isLarge = ({ shape }: Pick<WeightArray, 'shape'>) => 4 * sizeOf(shape) >= LARGE_ARRAY_BYTES;
const endsOf = ({ shape }: Pick<WeightArray, 'shape'>) => [0, sizeOf(shape) - END];

/** What the model of a client has at a position. */
const numberAt = (client: number, at: number) => ((at * 7 + client * 13) % 101) - 50;

/** Writes a model; its sha256. */
function writeModel(
  path: string,
  { weights, ...frame }: KerasFile,
  { client, update }: { readonly client: number; readonly update?: UpdateFacts },
): Promise<string> {
  const arrays = weights.map((array) =>
    isLarge(array) ? array : { ...array, values: new Float32Array(sizeOf(array.shape)) },
  );
  const file = { ...frame, weights: arrays, ...(update === undefined ? {} : { update }) };
  return writeLargeKerasFile(path, file, async (write) => {
    for (const array of arrays.filter(isLarge))
      for (const from of endsOf(array))
        write(
          array.name,
          from,
          Float32Array.from({ length: END }, (_, at) => numberAt(client, from + at)),
        );
  });
}

/** The numbers at both ends of each large array, and where they stand. */
function readEnds(path: string): Promise<readonly (readonly [number: number, at: number])[]> {
  return withOpenFile(path, KERAS_FILE, async (source) => {
    const { weights } = await readKerasFrom(source, path, { isPlaced: true });
    return weights.filter(isPlaced).flatMap((array) =>
      endsOf(array).flatMap((from) => {
        const numbers = new Float32Array(END);
        source.read(new Uint8Array(numbers.buffer), array.place + 4 * from);
        return Array.from(numbers, (number, at) => [number, from + at] as const);
      }),
    );
  });
}

const ROUNDS = [
  { units: 2_500, layers: 4, updates: 3 },
  { units: 2_500, layers: 4, updates: 20 },
  { units: 7_900, layers: 4, updates: 3 },
  // Past 2 GiB, and past 4 GiB.
  { units: 16_600, layers: 2, updates: 2 },
  { units: 16_600, layers: 4, updates: 2 },
] as const;

for (const { updates, ...size } of ROUNDS) {
  const sizeBytes = 4 * size.layers * size.units ** 2;
  test(`aggregating ${updates} models of ${told(sizeBytes)} takes at most ${told(MOST_AGGREGATING)}`, async (t) => {
    const { bavail, bsize } = await statfs(tmpdir());
    if (bavail * bsize < 2 * sizeBytes) return t.skip(`${tmpdir()} has no room for ${told(2 * sizeBytes)}`);
    const directory = await temporaryDirectory(t);
    const model = networkOf(size);
    const global = join(directory, 'global.h5');
    const parent = await writeModel(global, model, { client: updates });
    const clients = Array.from({ length: updates }, (_, client) => client);
    for (const client of clients) {
      const update = { client, round: 1, examples: client + 1, parent };
      await writeModel(join(directory, 'updates', `${client}.h5`), model, { client, update });
    }
    const next = join(directory, 'next.h5');
    const { peakBytes, ownProcessorSeconds } = await fedbatch(
      ...['aggregate', '--dir', join(directory, 'updates'), '--parent', global, '--out', next],
    );
    t.diagnostic(`${told(peakBytes)}, ${ownProcessorSeconds} s of processor time`);
    assert.ok(peakBytes <= MOST_AGGREGATING, told(peakBytes));
    assert.ok((await stat(next)).size > sizeBytes);
    const examples = clients.reduce((sum, client) => sum + client + 1, 0);
    for (const [number, at] of await readEnds(next)) {
      const sum = clients.reduce((all, client) => all + (client + 1) * numberAt(client, at), 0);
      assert.equal(number, Math.fround(sum / examples));
    }
  });
}

/** Grey images of chance. */
async function writeImages(path: string, { count, side }: { readonly count: number; readonly side: number }) {
  const random = randomStream(1, 'large models');
  const images = Uint8Array.from({ length: count * side * side }, () => random.integer(0, 255));
  const labels = Int32Array.from({ length: count }, (_, at) => at % 10);
  await writeShard(path, labelledImages([count, side, side], images, labels));
}

test(`training a model of 100 MB with Adam takes at most ${MOST_TRAINING} times as much`, async (t) => {
  const directory = await temporaryDirectory(t);
  const [data, model] = [join(directory, 'data.npz'), join(directory, 'global.h5')];
  await writeImages(data, { count: 96, side: 28 });
  await fedbatch('init', '--data', data, '--model', 'mlp', '--hidden', '4900,4300', '--out', model);
  const { peakBytes } = await fedbatch(
    ...['train', '--data', data, '--client', '0', '--init', model, '--optimizer', 'adam', '--batch', '32'],
    ...['--local-steps', '3', '--threads', '2', '--out', join(directory, 'update.h5')],
  );
  const { size } = await stat(model);
  t.diagnostic(`${told(peakBytes)} for a file of ${told(size)}`);
  assert.ok(size > 99 * MB);
  assert.ok(peakBytes <= MOST_TRAINING * size, told(peakBytes));
});

test(`simulating a round of 10,000 updates takes at most ${told(MOST_SIMULATING)}`, async (t) => {
  const directory = await temporaryDirectory(t);
  const data = join(directory, 'data.npz');
  await writeImages(data, { count: 12_000, side: 28 });
  const { childPeakBytes } = await fedbatch(
    ...['run', '--simulate', '--data', data, '--volume', join(directory, 'run'), '--clients', '10000'],
    ...['--fraction', '1', '--rounds', '1', '--batch', '10', '--jobs', '2', '--threads', '1'],
  );
  t.diagnostic(told(childPeakBytes));
  assert.ok(childPeakBytes <= MOST_SIMULATING, told(childPeakBytes));
});
