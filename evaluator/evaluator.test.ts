/** The accuracy test as a program: the line, the report, the threshold. */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { summarise } from '../lib/engine/accuracy.js';
import { onlyTargets } from '../lib/federation/examples.js';
import { writeShard } from '../lib/formats/data/shard-file.js';
import { readKerasFile, writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { encodeDataset, withParts } from '../test/datasets.js';
import { runCommand } from '../test/program-host.js';
import { lastLine, quarterExamples } from '../test/programs.js';
import { sharedDirectory } from '../test/temporary-directory.js';

describe('fedbatch evaluate', () => {
  let directory: string;
  const path = (name: string) => join(directory, name);
  const evaluate = (...args: readonly string[]) => runCommand('evaluate', ['--model', path('m.h5'), ...args]);

  before(async () => {
    directory = sharedDirectory();
    await writeShard(path('0.npz'), quarterExamples(400, 1));
    await writeShard(path('data/test.npz'), quarterExamples(130, 2));
    const { exitCode, stderr } = await runCommand('train', [
      '--data',
      path('0.npz'),
      '--model',
      'mlp',
      '--epochs',
      '5',
      '--batch',
      '20',
      '--out',
      path('m.h5'),
    ]);
    assert.equal(exitCode, 0, stderr);
  });

  it("ends with Keras' line and writes accuracy.json beside the model", async () => {
    const { exitCode, stdout, stderr } = await evaluate('--min-accuracy', '0.9');
    assert.equal(exitCode, 0, stderr);
    assert.match(lastLine(stdout), /^130\/130 - \d+s - loss: \d\.\d{4} - acc: \d\.\d{4}$/);
    const report = JSON.parse(await readFile(path('accuracy.json'), 'utf8'));
    assert.match(
      lastLine(stdout),
      new RegExp(`loss: ${report.loss.toFixed(4)} - acc: ${report.accuracy.toFixed(4)}$`),
    );
    assert.equal(report.examples, 130);
    assert.deepEqual(
      report.perClass.map((each: { examples: number }) => each.examples),
      [33, 33, 32, 32],
    );
    assert.equal(
      report.confusion.flat().reduce((sum: number, count: number) => sum + count, 0),
      130,
    );
    const hits = report.confusion.map((row: number[], label: number) => row[label] as number);
    assert.equal(report.accuracy, hits.reduce((sum: number, count: number) => sum + count, 0) / 130);
  });

  it('gives the same figures whatever the batch', async () => {
    const figures = async (batch: string) => {
      assert.equal((await evaluate('--batch', batch, '--out', path(`${batch}.json`))).exitCode, 0);
      const { loss, confusion } = JSON.parse(await readFile(path(`${batch}.json`), 'utf8'));
      return { loss: loss.toFixed(5), confusion };
    };
    assert.deepEqual(await figures('1'), await figures('64'));
  });

  it('ends with exit code 4 below the threshold, the report written all the same', async () => {
    const labels = Int32Array.from({ length: 40 }, (_, at) => (at + 1) % 4);
    await writeShard(path('wrong.npz'), withParts(quarterExamples(40, 3), { labels }));
    const { exitCode, stderr } = await evaluate(
      '--data',
      path('wrong.npz'),
      '--out',
      path('wrong.json'),
      '--min_accuracy',
      '0.5',
    );
    assert.equal(exitCode, 4);
    assert.match(stderr, /m\.h5: expected an accuracy of at least 0\.5 on .*wrong\.npz, found 0\.\d{4}\./);
    assert.ok(JSON.parse(await readFile(path('wrong.json'), 'utf8')).accuracy < 0.5);
  });

  it('refuses a model that predicts NaN', async () => {
    const file = await readKerasFile(path('m.h5'));
    // Each weight can be computed with, their products cannot.
    const sizes = new Map([
      [144 * 128, 1e17],
      [128 * 4, 5e17],
    ]);
    const weights = file.weights.map((array) => ({
      ...array,
      values: array.values.map(() => sizes.get(array.values.length) ?? 0),
    }));
    await writeKerasFile(path('nan.h5'), { ...file, weights });
    const { exitCode, stderr } = await runCommand('evaluate', [
      '--model',
      path('nan.h5'),
      '--data',
      path('0.npz'),
      '--out',
      path('nan.json'),
    ]);
    assert.equal(exitCode, 3);
    assert.match(
      stderr,
      /nan\.h5: expected a model that predicts probabilities, found NaN or infinite ones for example \d+ of/,
    );
    assert.ok(!existsSync(path('nan.json')));
  });

  it('tests several models one after the other, and lists what each comes to', async () => {
    const other = await readKerasFile(path('m.h5'));
    const weights = other.weights.map((array) => ({ ...array, values: array.values.map(() => 0) }));
    await writeKerasFile(path('zero.h5'), { ...other, weights });
    const alone = async (model: string) => {
      const args = ['--model', path(model), '--data', path('0.npz'), '--out', path('alone.json')];
      assert.equal((await runCommand('evaluate', args)).exitCode, 0);
      const { checksum: _checksum, ...report } = JSON.parse(await readFile(path('alone.json'), 'utf8'));
      return { ...report, seconds: 0 };
    };
    const { exitCode, stdout, stderr } = await runCommand('evaluate', [
      ...['--model', path('m.h5'), path('zero.h5'), '--data', path('0.npz')],
      ...['--out', path('both.json'), '--min-accuracy', '0.5'],
    ]);
    const both = JSON.parse(await readFile(path('both.json'), 'utf8')) as { readonly seconds: number }[];
    const expected = [await alone('m.h5'), await alone('zero.h5')];
    assert.deepEqual(
      both.map((report) => ({ ...report, seconds: 0 })),
      expected,
    );
    assert.equal(stdout.trim().split('\n').length, 2);
    assert.equal(exitCode, 4);
    assert.match(stderr, /zero\.h5: expected an accuracy of at least 0\.5 on .*0\.npz, found 0\.25/);
  });

  it('takes the test part of a whole dataset, as train takes its training part, and says so', async () => {
    const bytes = await encodeDataset(quarterExamples(400, 1), quarterExamples(130, 2));
    await writeFile(path('whole.npz'), bytes);
    const { exitCode, stdout, stderr } = await evaluate(
      ...['--data', path('whole.npz'), '--out', path('whole.json')],
    );
    assert.equal(exitCode, 0, stderr);
    assert.match(stderr, /whole\.npz is a whole dataset: its test part \(x_test, y_test\) is taken$/m);
    assert.match(lastLine(stdout), /^130\/130 /);
    const figures = (report: string) => {
      const { loss, confusion } = JSON.parse(report);
      return { loss, confusion };
    };
    assert.equal((await evaluate('--out', path('part.json'))).exitCode, 0);
    assert.deepEqual(
      figures(await readFile(path('whole.json'), 'utf8')),
      figures(await readFile(path('part.json'), 'utf8')),
    );
    const train = await runCommand('train', [
      ...['--data', path('whole.npz'), '--model', 'mlp', '--epochs', '1', '--out', path('whole.h5')],
    ]);
    assert.equal(train.exitCode, 0, train.stderr);
    assert.match(
      train.stderr,
      /whole\.npz is a whole dataset: its training part \(x_train, y_train\) is taken$/m,
    );
    assert.equal(JSON.parse(lastLine(train.stdout)).examples, 400);
  });

  it('refuses a missing model and missing data by name', async () => {
    const model = await runCommand('evaluate', ['--model', path('nowhere.h5'), '--data', path('0.npz')]);
    assert.deepEqual(
      [model.exitCode, /nowhere\.h5: expected .*found no such file/.test(model.stderr)],
      [3, true],
    );
    const data = await evaluate('--data', path('nowhere.npz'));
    assert.deepEqual(
      [data.exitCode, /nowhere\.npz: expected .*found no such file/.test(data.stderr)],
      [3, true],
    );
  });
});

describe('summarise', () => {
  it('counts a class without examples as having no accuracy', () => {
    // Predicted class and rank of the right one, example by example.
    const answers = Float32Array.of(0, 0, 0, 0, 0, 0, 1, 1);
    const labels = { shape: [4], values: new Int32Array(4) };
    const loss = { name: 'categorical_crossentropy' } as const;
    const task = { name: 'classification', loss, shape: [2], output: 'out', why: '' } as const;
    const found = summarise([{ answers, losses: Float64Array.of(0, 0.5, 0.5, 1) }], onlyTargets(labels), {
      outputs: [task],
    });
    assert.equal(found.accuracy, 0.75);
    assert.equal(found.loss, 0.5);
    assert.deepEqual(found.perClass, [
      { class: 0, examples: 4, accuracy: 0.75 },
      { class: 1, examples: 0, accuracy: null },
    ]);
  });
});
