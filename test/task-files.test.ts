/** Runs by a file of a task: its model, its loss, its preprocessing; the same for all who read examples, and part of what the run is. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { onlyTargets } from '../lib/federation/examples.js';
import { readShard } from '../lib/formats/data/dataset.js';
import { writeShard } from '../lib/formats/data/shard-file.js';
import { readKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { readManifest } from '../lib/formats/manifest.js';
import { readRunRecord } from '../lib/formats/run-record.js';
import { exampleTask } from '../lib/task-file/example-task.js';
import { readsTypeScript } from '../lib/task-file/task-module.js';
import { writeTinyDataset } from './datasets.js';
import { runCommand } from './program-host.js';
import { lastLine } from './programs.js';
import { roundOf } from './runs.js';
import { sharedDirectory } from './temporary-directory.js';

// Seen from dist/test/.
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Which row is bright, as a number; of rows of pixels from 0 to 1. */
const TASK = `import { defineTask, input, layer, sequentialModel } from 'fedbatch';
  export default defineTask({
    model: sequentialModel(input([64]), [layer('Dense', { units: 16, activation: 'relu' }), layer('Dense', { units: 1 })]),
    loss: 'huber:delta=2',
    optimizer: 'sgd',
    learningRate: 0.02,
    prepare({ inputs: [image], targets: [row] }) {
      const count = image.shape[0];
      return {
        inputs: [{ name: 'pixels', shape: [count, 64], values: Float32Array.from(image.values, (value) => value / 255) }],
        targets: [{ ...row, values: Float32Array.from(row.values) }],
      };
    },
  });`;

let directory: string;
let data: string;
const path = (name: string) => join(directory, name);
const run = (volume: string, task: string, ...args: readonly string[]) => {
  const common = ['--volume', path(volume), '--clients', '2', '--threads', '1', '--json', '--task', task];
  return runCommand('run', [...common, '--epochs', '2', '--batch', '20', ...args], { cwd: directory });
};

before(async () => {
  directory = sharedDirectory();
  data = await writeTinyDataset(directory, 120);
  await writeFile(path('rows.mjs'), TASK);
});

describe('the example of init-task', () => {
  it('is written once, and trains as it stands', async () => {
    const write = () => runCommand('init-task', ['mine/task.js'], { cwd: directory });
    const { exitCode, stdout, stderr } = await write();
    assert.equal(exitCode, 0, stderr);
    assert.deepEqual(JSON.parse(lastLine(stdout)), { file: 'mine/task.js' });
    const again = await write();
    assert.deepEqual([again.exitCode, /task\.js: it is there already/.test(again.stderr)], [2, true]);
    const other = await runCommand('init-task', ['task.py'], { cwd: directory });
    assert.match(other.stderr, /task\.py: expected a name that ends in \.ts, \.mts, \.js, \.mjs\./);
    const trained = await run(
      'digits',
      'mine/task.js',
      '--data',
      'digits',
      '--rounds',
      '1',
      '--min-metric',
      'accuracy=0.5',
    );
    assert.equal(trained.exitCode, 0, trained.stderr);
    const { scale, trainingConfig = '' } = await readKerasFile(path('digits/aggregated-model.h5'));
    assert.equal(scale, '-1..1', 'what it makes of the pixels is what the server has to do');
    assert.equal(JSON.parse(trainingConfig).optimizer_config.config.learning_rate, 0.002);
  });

  it('compiles under strict TypeScript, and is read as such where Node can', async () => {
    const name = readsTypeScript() ? 'task.ts' : 'typed.ts';
    await writeFile(path(name), exampleTask(name));
    const options = {
      ...{ strict: true, noEmit: true, module: 'nodenext', target: 'es2022', skipLibCheck: true },
      ...{ noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true, verbatimModuleSyntax: true },
      ...{ types: ['node'], typeRoots: [join(ROOT, 'node_modules/@types')] },
      paths: { fedbatch: [join(ROOT, 'dist/library/index.d.ts')] },
    };
    await writeFile(path('package.json'), '{"type":"module"}');
    await writeFile(path('wrong.ts'), exampleTask(name).replace("'adam'", "'sgdm'"));
    const compile = async (file: string) => {
      await writeFile(path('tsconfig.json'), JSON.stringify({ compilerOptions: options, files: [file] }));
      return execa(join(ROOT, 'node_modules/.bin/tsc'), ['-p', path('tsconfig.json')], { reject: false });
    };
    const { exitCode, stdout } = await compile(name);
    assert.equal(exitCode, 0, stdout);
    const wrong = await compile('wrong.ts');
    assert.match(wrong.stdout, /wrong\.ts.*"sgdm"/, 'the types are those of a task');
    const init = await runCommand('split', [
      '--data',
      'digits',
      '--clients',
      '1',
      '--out',
      path('typed'),
      '--task',
      path(name),
    ]);
    if (readsTypeScript()) assert.equal(init.exitCode, 0, init.stderr);
    else
      assert.match(
        init.stderr,
        /typed\.ts: expected a compiled \.js file, since Node \S+ reads no TypeScript/,
      );
  });
});

describe('a run by a task', () => {
  it('trains on what the task makes of the examples, and says so in its records', async () => {
    const { exitCode, stdout, stderr } = await run('rows', 'rows.mjs', '--data', data, '--rounds', '3');
    assert.equal(exitCode, 0, stderr);
    assert.match(stderr, /regression by the loss huber:delta=2, as asked for/);
    const { trainingConfig = '', metrics: named } = await readKerasFile(path('rows/aggregated-model.h5'));
    assert.equal(named, undefined);
    const { class_name: kind, config } = JSON.parse(trainingConfig).optimizer_config;
    assert.deepEqual([kind, config.learning_rate, config.momentum], ['SGD', 0.02, 0.9]);
    const { settings } = await readRunRecord(path('rows/run.json'));
    assert.deepEqual([settings.model.task, settings.training.optimizer], [path('rows.mjs'), 'compiled']);
    const manifest = await readManifest(path('rows/data/manifest.json'));
    assert.deepEqual(
      [manifest.task, manifest.targets],
      [settings.model.sha256, { kind: 'numbers', size: 1 }],
    );
    assert.deepEqual(manifest.inputs, [{ name: 'pixels', shape: [64], dtype: 'float32' }]);
    const { metrics } = JSON.parse(lastLine(stdout));
    assert.ok(metrics.r2 > 0.3, JSON.stringify(metrics));

    const again = await run('rows', 'rows.mjs', '--data', data, '--rounds', '3');
    assert.deepEqual(JSON.parse(lastLine(again.stdout)).sha256, JSON.parse(lastLine(stdout)).sha256);
    assert.doesNotMatch(again.stderr, /training on/, 'nothing is done twice');
  });

  it('reports the metrics that the task names, led by the first one, and refuses those of other tasks', async () => {
    await writeFile(path('few.mjs'), TASK.replace('optimizer:', "metrics: ['mae', 'r2'],\n optimizer:"));
    const found = await run('few', 'few.mjs', '--data', data, '--rounds', '2');
    assert.equal(found.exitCode, 0, found.stderr);
    assert.match(found.stderr, /mae 0\.\d+, loss/);
    const tests = await Promise.all(
      [1, 2].map(async (round) => (await roundOf(path('few'), round)).evaluation),
    );
    for (const test of tests) {
      assert.deepEqual(Object.keys(test?.metrics ?? {}), ['mae', 'r2']);
      assert.equal(test?.leads, 'mae');
    }
    const maes = tests.map((test) => test?.metrics?.mae ?? Number.NaN);
    const { best, metrics } = JSON.parse(lastLine(found.stdout));
    assert.deepEqual([best.round, metrics.mae], [1 + maes.indexOf(Math.min(...maes)), maes[1]]);
    const simulated = await run('few-simulated', 'few.mjs', '--data', data, '--rounds', '2', '--simulate');
    assert.deepEqual(JSON.parse(lastLine(simulated.stdout)).metrics, metrics);

    await writeFile(path('others.mjs'), TASK.replace('optimizer:', "metrics: ['mae', 'f1'],\n optimizer:"));
    const refused = await run('others', 'others.mjs', '--data', data, '--rounds', '1');
    assert.equal(refused.exitCode, 2, refused.stderr);
    assert.match(refused.stderr, /others\.mjs: expected metrics of regression \(.*rmspe, r2\), found "f1"/);
    assert.doesNotMatch(refused.stderr, /training on/);
  });

  it('is the same simulated', async () => {
    const of = async (volume: string, ...args: readonly string[]) => {
      const { exitCode, stdout, stderr } = await run(
        volume,
        'rows.mjs',
        '--data',
        data,
        '--rounds',
        '1',
        ...args,
      );
      assert.equal(exitCode, 0, stderr);
      const { sha256, loss, metrics } = JSON.parse(lastLine(stdout));
      return { sha256, loss, metrics };
    };
    assert.deepEqual(await of('simulated', '--simulate'), await of('processes'));
  });

  it('is another run once the task has changed, and evaluates as it trained: prepared once, whoever reads', async () => {
    await writeFile(path('moving.mjs'), TASK);
    const small = ['--data', data, '--rounds', '1'];
    const first = await run('moving', 'moving.mjs', ...small);
    assert.equal(first.exitCode, 0, first.stderr);
    const judge = async (examples: string, ...args: readonly string[]) => {
      const files = [
        '--model',
        path('moving/aggregated-model.h5'),
        '--data',
        examples,
        '--out',
        path('found.json'),
      ];
      const { exitCode, stderr } = await runCommand('evaluate', [...files, '--threads', '1', ...args]);
      const loss = exitCode === 0 ? JSON.parse(await readFile(path('found.json'), 'utf8')).loss : undefined;
      return { exitCode, stderr, loss };
    };
    const { loss } = JSON.parse(lastLine(first.stdout));
    const test = path('moving/data/test.npz');
    assert.deepEqual(
      [(await judge(test)).loss, (await judge(test, '--task', path('moving.mjs'))).loss],
      [loss, loss],
    );
    const raw = await readShard(data);
    const [image] = raw.inputs;
    const [count = 0] = image.shape;
    const values = Float32Array.from(image.values, (value) => value / 255);
    await writeShard(path('by-hand.npz'), {
      inputs: [{ name: 'x', shape: [count, 64], values }],
      targets: onlyTargets({ shape: [count, 1], values: Float32Array.from(raw.targets[0].values) }),
    });
    const [byHand, byTask] = [
      await judge(path('by-hand.npz')),
      await judge(data, '--task', path('moving.mjs')),
    ];
    assert.equal(byTask.exitCode, 0, byTask.stderr);
    assert.equal(byTask.loss, byHand.loss);

    await writeFile(path('moving.mjs'), TASK.replace('value / 255', '1 - value / 255'));
    const changed = await run('moving', 'moving.mjs', ...small);
    assert.equal(changed.exitCode, 2);
    assert.match(changed.stderr, /model\.sha256|sha256 of the initial model/);
    const stale = await judge(test, '--task', path('moving.mjs'));
    assert.equal(stale.exitCode, 3);
    assert.match(
      stale.stderr,
      /test\.npz: expected examples that \S+moving\.mjs has prepared, found those of another task/,
    );
  });

  it('trains a client alone from the file, as a stage of the run does from what the split has prepared', async () => {
    const train = async (name: string, ...args: readonly string[]) => {
      const work = ['--epochs', '2', '--batch', '20', '--threads', '1', '--client', '0', '--out', path(name)];
      const { exitCode, stdout, stderr } = await runCommand('train', [...work, ...args]);
      assert.equal(exitCode, 0, stderr);
      return JSON.parse(lastLine(stdout)) as { readonly loss: number; readonly examples: number };
    };
    await runCommand('split', ['--data', data, '--clients', '1', '--out', path('raw')]);
    await runCommand('split', [
      '--data',
      data,
      '--clients',
      '1',
      '--out',
      path('made'),
      '--task',
      path('rows.mjs'),
    ]);
    const task = ['--task', path('rows.mjs')];
    const [alone, prepared] = [
      await train('alone.h5', '--data', path('raw/0.npz'), ...task),
      await train('prepared.h5', '--data', path('made/0.npz'), ...task),
    ];
    assert.deepEqual([alone.loss, alone.examples], [prepared.loss, prepared.examples]);
    const [one, other] = await Promise.all(
      ['alone.h5', 'prepared.h5'].map((name) => readKerasFile(path(name))),
    );
    assert.deepEqual(one?.weights, other?.weights);
  });

  it('is refused before anything is trained where model and prepare contradict each other, or flags do', async () => {
    await writeFile(path('unfit.mjs'), TASK.replace('input([64])', 'input([63])'));
    await writeFile(path('unknown.mjs'), TASK.replace("'Dense'", "'Dens'"));
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [
        ['unfit.mjs'],
        /unfit\.mjs: expected prepare to give inputs of shape \[63\] .*, found inputs of shape \[64\]/,
      ],
      [['unknown.mjs'], /unknown\.mjs: .*layer dens is a Dens; known are Conv2D/],
      [
        ['rows.mjs', '--model', 'mlp'],
        /--model mlp and --task \S+ contradict each other: give one of them\./,
      ],
      [['rows.mjs', '--init', 'rows.mjs'], /contradict each other: give one of them\./],
    ];
    for (const [[task = '', ...flags], message] of cases) {
      const { exitCode, stderr } = await run(
        'refused',
        task,
        '--fresh',
        '--data',
        data,
        '--rounds',
        '1',
        ...flags,
      );
      assert.equal(exitCode, 2, stderr);
      assert.match(stderr, message);
    }
  });
});
