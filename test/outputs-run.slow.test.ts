/** Runs of models of several outputs, and of outputs with several steps, from end to end; what does not fit is refused. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { randomStream } from '../lib/core/random.js';
import { encodeNpz, type NamedArray } from '../lib/formats/data/npz.js';
import { readKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { readManifest } from '../lib/formats/manifest.js';
import { runCommand } from './program-host.js';
import { lastLine } from './programs.js';
import { roundOf } from './runs.js';
import { sharedDirectory } from './temporary-directory.js';

const EXAMPLES = 120;
// What Keras 3 wrote: three outputs from two inputs, and the next character at each of 5 steps.
const fixture = (name: string) =>
  new URL(`../../lib/model/keras/fixtures/outputs-${name}-keras3.h5`, import.meta.url).pathname;

let directory: string;
const path = (name: string) => join(directory, name);
const run = (volume: string, ...args: readonly string[]) => {
  const common = ['--volume', path(volume), '--clients', '2', '--threads', '1', '--json'];
  const work = ['--epochs', '3', '--batch', '10', '--optimizer', 'sgd', '--learning-rate', '0.1'];
  return runCommand('run', [...common, ...work, ...args], { cwd: directory });
};
const SEVERAL = ['--data', 'several.npz', '--init', fixture('several')];

before(async () => {
  directory = sharedDirectory();
  const random = randomStream(5, 'outputs');
  const noise = (size: number) => Float32Array.from({ length: EXAMPLES * size }, () => random.normal());
  const [left, right] = [noise(4), noise(3)];
  const signal = (row: number, at: number) => (left[row * 4 + at] as number) - (right[row * 3] as number);
  const rows = <T>(size: number, make: (row: number, at: number) => T): readonly T[] =>
    Array.from({ length: EXAMPLES * size }, (_, index) => make(Math.floor(index / size), index % size));
  const several: readonly NamedArray[] = [
    { name: 'x/left', shape: [EXAMPLES, 4], values: left },
    { name: 'x/right', shape: [EXAMPLES, 3], values: right },
    // In another order than the model has its outputs.
    {
      name: 'y/holds',
      shape: [EXAMPLES, 4],
      values: Uint8Array.from(rows(4, (row, at) => Number(signal(row, at) > 0))),
    },
    {
      name: 'y/kind',
      shape: [EXAMPLES],
      values: Int32Array.from(rows(1, (row) => (signal(row, 0) > 0 ? 2 : row % 2))),
    },
    { name: 'y/price', shape: [EXAMPLES, 2], values: Float32Array.from(rows(2, signal)) },
  ];
  await writeFile(path('several.npz'), await encodeNpz(several));
  const counted = several.map((each) =>
    each.name === 'y/price'
      ? { ...each, values: Int32Array.from(rows(2, (row, at) => 3 + Math.round(Math.abs(signal(row, at))))) }
      : each,
  );
  await writeFile(path('counted.npz'), await encodeNpz(counted));
  await writeFile(path('without.npz'), await encodeNpz(several.filter(({ name }) => name !== 'y/kind')));
  const odd = several.map((each) =>
    each.name === 'y/kind' ? { ...each, values: new Int32Array(EXAMPLES).fill(5) } : each,
  );
  await writeFile(path('odd.npz'), await encodeNpz(odd));
  // Characters count up, two by two.
  const words = Int32Array.from({ length: EXAMPLES * 5 }, (_, at) => (Math.floor(at / 5) + 2 * (at % 5)) % 7);
  const steps: readonly NamedArray[] = [
    { name: 'x', shape: [EXAMPLES, 5], values: words },
    { name: 'y', shape: [EXAMPLES, 5], values: words.map((word) => (word + 2) % 7) },
  ];
  await writeFile(path('characters.npz'), await encodeNpz(steps));
});

describe('a run of several outputs', () => {
  it('learns them all, is led by the sum of their losses, and records what each came to', async () => {
    const { exitCode, stdout, stderr } = await run('several', ...SEVERAL, '--rounds', '3');
    assert.equal(exitCode, 0, stderr);
    assert.match(stderr, /output price: regression by the loss huber times 0\.5, as the model was compiled/);
    assert.match(
      stderr,
      /output holds: multi-label by the loss binary_crossentropy:label_smoothing=0\.1 times 2,/,
    );
    const result = JSON.parse(lastLine(stdout));
    const courses = await Promise.all([1, 2, 3].map((round) => roundOf(path('several'), round)));
    const losses = courses.map(({ evaluation }) => evaluation?.loss as number);
    assert.ok(Math.min(...losses) < (losses[0] as number), losses.join());
    assert.equal(result.best.round, 1 + losses.indexOf(Math.min(...losses)));
    const report = JSON.parse(await readFile(path('several/accuracy.json'), 'utf8'));
    const { metrics } = report;
    assert.equal(report.task, 'several outputs');
    for (const name of ['price_rmse', 'price_r2', 'kind_accuracy', 'holds_f1', 'holds_auc'])
      assert.ok(metrics[name] > 0, `${name}: ${metrics[name]}`);
    const sum = 0.5 * metrics.price_loss + metrics.kind_loss + 2 * metrics.holds_loss;
    assert.ok(Math.abs(report.loss - sum) < 1e-9, 'the loss is the sum of those of the outputs');
    const manifest = await readManifest(path('several/data/manifest.json'));
    assert.deepEqual([manifest.classes, manifest.targets], [undefined, undefined]);
    assert.deepEqual(manifest.outputs, [
      { name: 'holds', kind: 'multi-hot', shape: [4] },
      { name: 'kind', kind: 'labels', shape: [] },
      { name: 'price', kind: 'numbers', shape: [2] },
    ]);
    assert.match(
      await readFile(path('several/report.html'), 'utf8'),
      /Of several outputs, on 12 test examples/,
    );

    const target = ['--target-metric', `kind_accuracy=${metrics.kind_accuracy}`];
    const again = await run('several', ...SEVERAL, '--rounds', '3', ...target);
    assert.equal(again.exitCode, 0, again.stderr);
    assert.ok(JSON.parse(lastLine(again.stdout)).roundsToTarget <= 3);
    const missed = await run('several', ...SEVERAL, '--rounds', '3', '--min-metric', 'price_rmse=0.0001');
    assert.equal(missed.exitCode, 4);
    assert.match(missed.stderr, /The price_rmse \S+ misses the required 0\.0001\./);
  });

  it('learns by the losses that are named for outputs, and the others by those that were compiled', async () => {
    // Whole numbers, which would be labels.
    const flags = ['--data', 'counted.npz', '--init', fixture('several'), '--rounds', '1'];
    const asked = ['--loss', 'price=mae,holds=binary_crossentropy:weight=3'];
    const { exitCode, stderr } = await run('named', ...flags, ...asked);
    assert.equal(exitCode, 0, stderr);
    assert.match(stderr, /output price: regression by the loss mae, as asked for/);
    assert.match(stderr, /output kind: classification by the loss \S+, as the model was compiled/);
    assert.match(stderr, /output holds: multi-label by the loss binary_crossentropy times 3, as asked for/);
    const { loss, metrics } = JSON.parse(await readFile(path('named/accuracy.json'), 'utf8'));
    assert.ok(Math.abs(metrics.price_loss - metrics.price_mae) < 1e-6);
    const sum = metrics.price_loss + metrics.kind_loss + 3 * metrics.holds_loss;
    assert.ok(Math.abs(loss - sum) < 1e-9, 'the loss is the sum of those of the outputs');
    const { outputs } = await readManifest(path('named/data/manifest.json'));
    assert.deepEqual(
      outputs?.map(({ kind }) => kind),
      ['multi-hot', 'labels', 'numbers'],
    );
    const { trainingConfig = '' } = await readKerasFile(path('named/aggregated-model.h5'));
    const compiled = JSON.parse(trainingConfig);
    assert.deepEqual(Object.keys(compiled.loss), ['price', 'kind', 'holds']);
    assert.deepEqual(compiled.loss_weights, { price: 1, kind: 1, holds: 3 });
    const again = await run('named', ...flags, ...asked);
    assert.doesNotMatch(again.stderr, /training on/, 'nothing is done twice');
  });

  it('is the same simulated', async () => {
    const one = await run('as-processes', ...SEVERAL, '--rounds', '1');
    const other = await run('simulated', ...SEVERAL, '--rounds', '1', '--simulate');
    const of = ({ stdout }: typeof one) => {
      const { sha256, loss, metrics } = JSON.parse(lastLine(stdout));
      return { sha256, loss, metrics };
    };
    assert.deepEqual(of(other), of(one));
  });

  it('is refused before anything is trained where model, data and loss contradict each other', async () => {
    for (const [flags, code, sentence] of [
      [
        [...SEVERAL, '--loss', 'mse'],
        2,
        /The loss mse is one, and \S+ has 3 outputs \(price, kind, holds\): name them, as in price=mse,kind=mse, or/,
      ],
      [
        [...SEVERAL, '--loss', 'cost=mse'],
        2,
        /A loss is asked for at cost, and \S+several-keras3\.h5 has the outputs price, kind, holds\./,
      ],
      [
        [...SEVERAL, '--loss', 'price=hinge'],
        2,
        /--loss.*one of categorical_crossentropy, .*, or one for each of several outputs as in price=mse/,
      ],
      [
        [...SEVERAL, '--loss', 'price=categorical_crossentropy'],
        3,
        /expected y\/price to hold whole-number labels, found 2\.78/,
      ],
      [
        ['--data', 'without.npz', '--init', fixture('several')],
        3,
        /expected as many targets as the model has, 3 \(price, kind, holds\), found 2 \(holds, price\)/,
      ],
      [
        ['--data', 'odd.npz', '--init', fixture('several')],
        3,
        /expected labels from 0 to 2, the classes of the model \(output kind\), found label 5/,
      ],
      [
        ['--data', 'several.npz', '--model', 'mlp'],
        3,
        /expected targets of one output for the model mlp, found 3: holds, kind, price; bring a model/,
      ],
      [
        [...SEVERAL, '--partition', 'dirichlet'],
        2,
        /dirichlet deals by labels, and the targets of these data are none/,
      ],
      [[...SEVERAL, '--class-weights', 'balanced'], 2, /Class weights balanced go with labels/],
      [
        ['--data', 'characters.npz', '--model', 'mlp'],
        3,
        /expected labels, for a model that tells 7 classes apart, found a label for each of the steps \[5\]/,
      ],
    ] as const) {
      const { exitCode, stderr } = await run('refused', '--fresh', '--rounds', '1', ...flags);
      assert.equal(exitCode, code, stderr);
      assert.match(stderr, sentence);
      assert.doesNotMatch(stderr, /bug/);
    }
  });
});

describe('a run of an output with several steps', () => {
  it('learns the next character at each step', async () => {
    const flags = [
      '--data',
      'characters.npz',
      '--init',
      fixture('characters'),
      '--rounds',
      '2',
      '--epochs',
      '12',
    ];
    const { exitCode, stdout, stderr } = await run('characters', ...flags, '--learning-rate', '1');
    assert.equal(exitCode, 0, stderr);
    const { accuracy, loss } = JSON.parse(lastLine(stdout));
    assert.ok(accuracy > 0.9 && loss < 0.7, `${accuracy}, ${loss}`);
    const { outputs } = await readManifest(path('characters/data/manifest.json'));
    assert.deepEqual(outputs, [{ name: 'y', kind: 'labels', shape: [5] }]);
    const report = JSON.parse(await readFile(path('characters/accuracy.json'), 'utf8'));
    assert.deepEqual([report.examples, report.perClass.length], [12, 7]);
    const tested = await runCommand('evaluate', [
      ...[
        '--model',
        path('characters/aggregated-model.h5'),
        '--data',
        path('characters.npz'),
        '--min-accuracy',
        '0.9',
      ],
    ]);
    assert.notEqual(tested.exitCode, 1, tested.stderr);
  });
});

describe('a run of steps of which some are masked', () => {
  /** Words count up until their sequence ends; what is to be answered behind its end is `behind`. */
  async function writePadded(name: string, behind: number) {
    const length = (row: number) => 2 + (row % 4);
    const isWord = (at: number) => at % 5 < length(Math.floor(at / 5));
    const words = Int32Array.from({ length: EXAMPLES * 5 }, (_, at) =>
      isWord(at) ? 1 + ((Math.floor(at / 5) + (at % 5)) % 6) : 0,
    );
    const next = words.map((word, at) => (isWord(at) ? 1 + (word % 6) : behind));
    const level = Float32Array.from({ length: EXAMPLES * 10 }, (_, at) => {
      const word = Math.floor(at / 2);
      return isWord(word) ? (words[word] as number) / 6 : 50 * behind;
    });
    const arrays: readonly NamedArray[] = [
      { name: 'x', shape: [EXAMPLES, 5], values: words },
      { name: 'y/next', shape: [EXAMPLES, 5], values: next },
      { name: 'y/level', shape: [EXAMPLES, 5, 2], values: level },
    ];
    await writeFile(path(name), await encodeNpz(arrays));
    return ['--data', name, '--init', fixture('padded'), '--rounds', '1', '--epochs', '6'];
  }

  it('learns and judges those that count alone, as processes and simulated', async () => {
    const [plain, other] = [await writePadded('padded.npz', 0), await writePadded('behind.npz', 3)];
    const found = await run('padded', ...plain);
    assert.equal(found.exitCode, 0, found.stderr);
    const of = ({ stdout }: typeof found) => {
      const { sha256, loss, metrics } = JSON.parse(lastLine(stdout));
      return { sha256, loss, metrics };
    };
    const behind = await run('behind', ...other);
    assert.equal(behind.exitCode, 0, behind.stderr);
    // The file of the model is another, since it was trained on another dataset: its weights and tests are the same.
    assert.deepEqual(of(behind).metrics, of(found).metrics);
    assert.deepEqual(of(await run('padded-simulated', ...plain, '--simulate')), of(found));
    const { metrics } = of(found);
    assert.ok(metrics.next_accuracy > 0.5 && metrics.level_rmse < 1, JSON.stringify(metrics));
    const { weights } = await readKerasFile(path('padded/aggregated-model.h5'));
    assert.deepEqual((await readKerasFile(path('behind/aggregated-model.h5'))).weights, weights);
  });
});
