/** Runs of a model that users bring: it is where round 1 starts, with its optimizer; another one is another run. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import type { KerasFile } from '../lib/formats/keras/keras-file.js';
import { readKerasFile, writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { readRoundRecord, readRunRecord } from '../lib/formats/run-record.js';
import { newModel } from '../trainer/zoo-model.js';
import { writeTinyDataset } from './datasets.js';
import { runCommand } from './program-host.js';
import { sharedDirectory } from './temporary-directory.js';

/** As Keras 2 compiles with SGD. */
const COMPILED = JSON.stringify({
  optimizer_config: { class_name: 'SGD', config: { learning_rate: 0.05, momentum: 0.8, nesterov: false } },
  loss: 'sparse_categorical_crossentropy',
});

interface KerasLayer {
  readonly config: Readonly<Record<string, unknown>>;
}

describe('a run of a model that is given', () => {
  let directory: string;
  let data: string;
  let given: KerasFile;
  const path = (name: string) => join(directory, name);
  const run = (volume: string, ...args: readonly string[]) => {
    const common = ['--data', data, '--volume', path(volume), '--clients', '1', '--threads', '1'];
    return runCommand('run', [...common, '--rounds', '2', '--epochs', '1', ...args], { cwd: directory });
  };
  const modelOf = (side: number, seed = 7) =>
    newModel('2nn', { task: { inputShape: [side, side, 1], outputs: 4 }, seed }).file;

  before(async () => {
    directory = sharedDirectory();
    data = await writeTinyDataset(directory, 60);
    const { scale: _, ...plain } = modelOf(8);
    given = { ...plain, trainingConfig: COMPILED };
    await writeKerasFile(path('mine.h5'), given);
    await writeKerasFile(path('mine.keras'), given);
  });

  it('starts from its weights, trains with its optimizer in every round, resumes, and is the same simulated', async () => {
    const { exitCode, stderr } = await run('first', '--init', 'mine.h5');
    assert.equal(exitCode, 0, stderr);
    assert.match(
      stderr,
      /optimizer sgd with learning rate 0\.05 and momentum 0\.8, as \S+mine\.h5 was compiled/,
    );
    const initial = await readKerasFile(path('first/rounds/0001/global.h5'));
    assert.deepEqual(initial, given);
    const { settings } = await readRunRecord(path('first/run.json'));
    const { sha256, ...model } = settings.model;
    assert.deepEqual(model, { init: path('mine.h5') });
    assert.match(`${sha256}`, /^[0-9a-f]{64}$/);
    assert.equal(settings.training.optimizer, 'compiled');
    assert.equal((await readRoundRecord(path('first/rounds/0002/round.json'))).learningRate, undefined);

    const again = await run('first', '--init', 'mine.h5');
    assert.equal(again.exitCode, 0, again.stderr);
    assert.match(again.stderr, /init +mine\.h5 model, done before: skipped/);

    const flags = ['--optimizer', 'sgd', '--learning-rate', '0.05', '--momentum', '0.8'];
    const { weights } = await readKerasFile(path('first/aggregated-model.h5'));
    for (const [volume, more] of [
      ['simulated', ['--init', 'mine.keras']],
      ['by-flags', ['--init', 'mine.h5', ...flags]],
    ] as const) {
      const other = await run(volume, '--simulate', ...more);
      assert.equal(other.exitCode, 0, other.stderr);
      assert.deepEqual((await readKerasFile(path(`${volume}/aggregated-model.h5`))).weights, weights, volume);
    }
  });

  it('and one step of it by hand, from and to a .keras file', async () => {
    const files = ['--data', data, '--init', path('mine.keras'), '--out', path('update.keras')];
    const trained = await runCommand('train', [...files, '--local-steps', '1', '--threads', '1']);
    assert.equal(trained.exitCode, 0, trained.stderr);
    assert.match(trained.stderr, /optimizer sgd .* as \S+mine\.keras was compiled/);
    assert.equal((await readFile(path('update.keras'))).toString('latin1', 0, 2), 'PK');
    const { update, weights } = await readKerasFile(path('update.keras'));
    assert.equal(update?.examples, 60);
    assert.notDeepEqual(weights, given.weights);
    const all = ['aggregate', ['--out', path('next.keras'), path('update.keras')]] as const;
    const aggregated = await runCommand(...all);
    assert.equal(aggregated.exitCode, 0, aggregated.stderr);
    assert.equal((await readFile(path('next.keras'))).toString('latin1', 0, 2), 'PK');
    assert.deepEqual((await readKerasFile(path('next.keras'))).weights, weights);
    const tested = await runCommand('evaluate', ['--model', path('next.keras'), '--data', data]);
    assert.equal(tested.exitCode, 0, tested.stderr);
  });

  it('that has changed is a difference, and a file in the volume is refused', async () => {
    await writeKerasFile(path('moving.h5'), given);
    const small = ['--init', 'moving.h5', '--simulate'];
    assert.equal((await run('moving', ...small)).exitCode, 0);
    await writeKerasFile(path('moving.h5'), modelOf(8, 8));
    const { exitCode, stderr } = await run('moving', ...small);
    assert.equal(exitCode, 2);
    assert.match(
      stderr,
      /a run of other settings \(sha256 of the initial model [0-9a-f]{64}, now [0-9a-f]{64}\)/,
    );
    const inside = await run('moving', '--init', path('moving/aggregated-model.h5'), '--simulate');
    assert.equal(inside.exitCode, 2);
    assert.match(inside.stderr, /--init \S+aggregated-model\.h5 is inside the volume/);
  });

  it('or its architecture alone begins with weights by the seed and its initializers, the same each time', async () => {
    const { modelConfig, weights } = modelOf(8);
    const layers = (modelConfig as { readonly config: { readonly layers: readonly KerasLayer[] } }).config
      .layers;
    const changed = layers.map((each) => ({
      ...each,
      ...(each.config.name === 'dense' ? { config: { ...each.config, bias_initializer: 'ones' } } : {}),
    }));
    const json = { class_name: 'Sequential', config: { name: 'mine', layers: changed } };
    await writeFile(path('mine.json'), JSON.stringify(json));
    const make = (out: string, seed: string) => {
      const asked = ['--data', data, '--model-config', path('mine.json'), '--seed', seed, '--out', path(out)];
      return runCommand('init', asked);
    };
    for (const [out, seed] of Object.entries({ 'a.h5': '7', 'b.h5': '7', 'c.h5': '8' })) {
      const { exitCode, stderr } = await make(out, seed);
      assert.equal(exitCode, 0, stderr);
    }
    assert.deepEqual(await readFile(path('a.h5')), await readFile(path('b.h5')));
    const [made, other] = await Promise.all(['a.h5', 'c.h5'].map((name) => readKerasFile(path(name))));
    assert.notDeepEqual(made?.weights, other?.weights);
    const arrayOf = (from: KerasFile | undefined, name: string) =>
      from?.weights.find((array) => array.name === name)?.values;
    assert.deepEqual(arrayOf(made, 'dense/bias:0'), new Float32Array(200).fill(1));
    assert.deepEqual(arrayOf(made, 'dense_1/bias:0'), new Float32Array(200));
    // Without an initializer of its own, as a model of ours.
    assert.deepEqual(
      arrayOf(made, 'dense_2/kernel:0'),
      weights.find(({ name }) => name === 'dense_2/kernel:0')?.values,
    );

    const { exitCode, stderr } = await run(
      'config',
      '--model-config',
      'mine.json',
      '--simulate',
      '--seed',
      '7',
    );
    assert.equal(exitCode, 0, stderr);
    assert.deepEqual((await readKerasFile(path('config/rounds/0001/global.h5'))).weights, made?.weights);
    const { model } = (await readRunRecord(path('config/run.json'))).settings;
    assert.equal(model.config, path('mine.json'));
  });

  it('or an mlp of the hidden layers that are asked for', async () => {
    const asked = ['--data', data, '--model', 'mlp', '--hidden', '16, 8', '--out', path('hidden.h5')];
    const { exitCode, stderr } = await runCommand('init', asked);
    assert.equal(exitCode, 0, stderr);
    const { weights } = await readKerasFile(path('hidden.h5'));
    const kernels = weights.filter(({ name }) => name.endsWith('/kernel:0')).map(({ shape }) => shape);
    assert.deepEqual(kernels, [
      [64, 16],
      [16, 8],
      [8, 4],
    ]);
  });

  for (const [what, args, code, message] of [
    ['an architecture too', ['--init', 'mine.h5', '--model-config', 'm.json'], 2, /contradict each other/],
    ['no architecture', ['--model-config', 'mine.h5'], 3, /mine\.h5: expected a Keras architecture \(JSON/],
    [
      'hidden layers of a cnn',
      ['--hidden', '64,32'],
      2,
      /--hidden 64,32 belongs to --model mlp or lstm, not to cnn/,
    ],
    ['hidden layers of nothing', ['--model', 'mlp', '--hidden', '64,'], 2, /numbers of units with commas/],
    ['images of another size', ['--init', 'other.h5'], 3, /images of shape \[6,6,1\].*found.*\[8,8,1\]/],
    ['no file', ['--init', 'none.h5'], 3, /none\.h5: expected a Keras model.*no such file/],
    [
      'a name too',
      ['--init', 'mine.h5', '--model', 'mlp'],
      2,
      /--model mlp and --init \S+mine\.h5 contradict/,
    ],
    [
      'a schedule of an unknown rate',
      ['--init', 'mine.h5', '--warm-up-rounds', '1'],
      2,
      /give --learning-rate/,
    ],
    [
      'nothing, but its optimizer',
      ['--optimizer', 'compiled'],
      2,
      /takes the optimizer of a compiled model: name the model with --init/,
    ],
    [
      'a strategy that its optimizer does not go with',
      ['--init', 'mine.h5', '--strategy', 'scaffold', '--simulate'],
      2,
      /scaffold does not go with .*momentum 0\.8/,
    ],
  ] as const) {
    it(`is refused before anything is trained: ${what}`, async () => {
      await writeKerasFile(path('other.h5'), modelOf(6));
      const { exitCode, stderr } = await run(`refused-${code}-${what.length}`, ...args);
      assert.equal(exitCode, code, stderr);
      assert.match(stderr, message);
    });
  }
});
