/** A run on a table whose columns are of any size, from end to end: it learns what it does not unscaled, and takes raw numbers wherever it goes. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { randomStream } from '../lib/core/random.js';
import { readShard } from '../lib/formats/data/dataset.js';
import { readKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { readManifest } from '../lib/formats/manifest.js';
import { createWorkerPredictor } from '../server/models/worker-predictor.js';
import { serveApp } from '../server/testing/served-app.js';
import { runCommand } from './program-host.js';
import { lastLine } from './programs.js';
import { temporaryDirectory } from './temporary-directory.js';

/** Incomes of 1e4 to 1e5, ages, and whether a loan was paid back, which both decide. */
function loans(rows: number): string {
  const random = randomStream(11, 'loans');
  const lines = Array.from({ length: rows }, () => {
    const income = 1e4 + 9e4 * random.uniform();
    const age = 18 + 70 * random.uniform();
    const isPaid = (income - 5.5e4) / 4.5e4 > (53 - age) / 35;
    return `${income.toFixed(2)},${age.toFixed(1)},${isPaid ? 'yes' : 'no'}`;
  });
  return `income,age,paid\n${lines.join('\n')}\n`;
}

test('incomes train an mlp that unscaled learns little, and its file brings the scaling wherever it goes', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, 'loans.csv'), loans(600));
  const work = ['--data', 'loans.csv', '--model', 'mlp', '--clients', '3', '--rounds', '2', '--epochs', '3'];
  const run = async (volume: string, ...more: readonly string[]) => {
    const argv = [...work, '--batch', '10', '--threads', '1', '--json', '--volume', volume, ...more];
    const { exitCode, stdout, stderr } = await runCommand('run', argv, { cwd: directory });
    assert.equal(exitCode, 0, stderr);
    return { ...(JSON.parse(lastLine(stdout)) as { readonly accuracy: number }), stderr };
  };
  const scaled = await run('scaled');
  const unscaled = await run('unscaled', '--normalize', 'off');
  assert.ok(scaled.accuracy > 0.85 && unscaled.accuracy < 0.75, `${scaled.accuracy}, ${unscaled.accuracy}`);
  assert.match(
    scaled.stderr,
    /the model begins with a Normalization of 2 numbers .*--normalize off leaves it out/,
  );
  assert.doesNotMatch(unscaled.stderr, /Normalization/);

  const modelPath = join(directory, 'scaled/aggregated-model.h5');
  const { names } = await readKerasFile(modelPath);
  assert.deepEqual(names, {
    classNames: ['no', 'yes'],
    target: { column: 'paid' },
    inputs: [{ name: 'x', columns: ['income', 'age'] }],
  });
  // Raw rows, of the test and of nobody, to a server.
  const { inputs, targets } = await readShard(join(directory, 'scaled/data/test.npz'));
  const rows = Array.from({ length: targets[0].values.length }, (_, at) => [
    ...inputs[0].values.subarray(2 * at, 2 * at + 2),
  ]);
  assert.ok(rows.every(([income = 0]) => income >= 1e4));
  const app = await serveApp({ predictor: await createWorkerPredictor({ modelPath, threads: 1 }) });
  t.after(() => app.close());
  const response = await fetch(`${app.url}/v1/models/model:predict`, {
    method: 'POST',
    body: JSON.stringify({ instances: rows }),
  });
  const { predictions } = (await response.json()) as { readonly predictions: readonly number[][] };
  const right = predictions.filter(
    ([no = 0, yes = 0], at) => Number(yes > no) === targets[0].values[at],
  ).length;
  assert.equal(right / rows.length, scaled.accuracy);
});

test('rents train an mlp that begins at their mean and answers in their unit', async (t) => {
  const directory = await temporaryDirectory(t);
  const random = randomStream(5, 'flats');
  const lines = Array.from({ length: 400 }, () => {
    const area = 20 + Math.round(100 * random.uniform());
    const rooms = 1 + Math.floor(area / 30);
    return `${area},${rooms},${Math.round(22 * area + 40 * rooms + 20 * random.uniform())}`;
  });
  await writeFile(join(directory, 'flats.csv'), `area,rooms,rent\n${lines.join('\n')}\n`);
  const work = ['--data', 'flats.csv', '--model', 'mlp', '--hidden', '8', '--clients', '2'];
  const long = ['--rounds', '3', '--epochs', '6'];
  const run = async (volume: string, ...more: readonly string[]) => {
    const argv = [...work, ...long, '--batch', '10', '--threads', '1', '--json', '--volume', volume, ...more];
    const { exitCode, stdout, stderr } = await runCommand('run', argv, { cwd: directory });
    assert.equal(exitCode, 0, stderr);
    return { ...(JSON.parse(lastLine(stdout)) as { readonly metrics: { readonly rmse: number } }), stderr };
  };
  const scaled = await run('scaled');
  const unscaled = await run('unscaled', '--normalize', 'off');
  // The rents' own deviation is about 670.
  assert.ok(scaled.metrics.rmse < 250, `${scaled.metrics.rmse}`);
  assert.ok(unscaled.metrics.rmse > 600, `${unscaled.metrics.rmse}`);
  assert.match(
    scaled.stderr,
    /begins with a Normalization of 2 numbers .*, and ends with one of the targets/,
  );
});

test('a private run keeps to what its ε promises: no exact sums of the clients, unless they are asked for', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, 'loans.csv'), loans(60));
  const work = ['--data', 'loans.csv', '--model', 'mlp', '--hidden', '2', '--clients', '3', '--rounds', '1'];
  const privately = ['--epochs', '1', '--dp-clip', '1', '--dp-noise', '1', '--dp-noise-source', 'seed'];
  const run = async (volume: string, ...more: readonly string[]) => {
    const argv = [...work, ...privately, '--threads', '1', '--volume', volume, ...more];
    const finished = await runCommand('run', argv, { cwd: directory });
    assert.equal(finished.exitCode, 0, finished.stderr);
    const { inputs } = await readManifest(join(directory, volume, 'data/manifest.json'));
    return { ...finished, isTold: inputs?.[0]?.statistics !== undefined };
  };
  const usual = await run('usual');
  assert.equal(usual.isTold, false);
  assert.match(usual.stderr, /are not normalised, since .* outside of what ε covers: --normalize on/);
  // The settings are those that were asked for, and the run resumes.
  const record = JSON.parse(await readFile(join(directory, 'usual/run.json'), 'utf8'));
  assert.equal(record.settings.dataset.normalize, undefined);
  assert.match((await run('usual')).stderr, /done before: skipped/);
  assert.equal((await run('wanted', '--normalize', 'on')).isTold, true);
});
