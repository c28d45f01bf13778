/** The command: models found by file, directory and name of a run, what the records say of them, refusals that leave nothing behind. */
import assert from 'node:assert/strict';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { unevenWeights } from '../lib/engine/conformance/problems.js';
import type { ExportResult } from '../lib/formats/export-result.js';
import { sha256 } from '../lib/formats/files/read-file.js';
import { writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { describeModel } from '../lib/model/model-zoo.js';
import { exportModel } from '../library/index.js';
import { writeTinyDataset } from '../test/datasets.js';
import { fileOf } from '../test/exports.js';
import { head, imageModel } from '../test/layers.js';
import { runCommand } from '../test/program-host.js';
import { lastLine } from '../test/programs.js';
import { requireValid } from '../test/results.js';
import { sharedDirectory } from '../test/temporary-directory.js';

let directory: string;
let work: string;

const fedbatch = (...args: readonly string[]) => runCommand('export', args, { cwd: work });

/** Exports well, and tells the result. */
async function exportWell(...args: readonly string[]): Promise<ExportResult> {
  const { exitCode, stdout, stderr } = await fedbatch(...args);
  assert.equal(exitCode, 0, stderr);
  const result = JSON.parse(lastLine(stdout)) as ExportResult;
  requireValid('export-result', result);
  return result;
}

before(async () => {
  directory = sharedDirectory();
  work = join(directory, 'work');
  await mkdir(join(work, 'runs'), { recursive: true });
  const data = await writeTinyDataset(directory);
  const { exitCode, stderr } = await runCommand(
    'run',
    [
      ...[
        '--data',
        data,
        '--clients',
        '2',
        '--rounds',
        '2',
        '--epochs',
        '1',
        '--model',
        'mlp',
        '--hidden',
        '4',
      ],
      ...['--threads', '1', '--volume', join(work, 'runs', 'tiny'), '--name', 'tiny'],
    ],
    { cwd: work },
  );
  assert.equal(exitCode, 0, stderr);
});

describe('fedbatch export', () => {
  it('of the last run, by name, directory or file, writes the same model, with what its records say', async () => {
    const last = await exportWell('--to', 'onnx');
    const { id } = JSON.parse(await readFile(join(work, 'runs/tiny/run.json'), 'utf8')) as { id: string };
    assert.equal(last.output, `${id}.onnx`);
    const { facts } = last;
    assert.equal(facts.run, id);
    assert.deepEqual([facts.round, facts.clients, facts.strategy], [2, 2, 'fedavg']);
    const accuracy = JSON.parse(await readFile(join(work, 'runs/tiny/accuracy.json'), 'utf8')) as {
      readonly accuracy: number;
      readonly examples: number;
      readonly sha256: string;
    };
    assert.deepEqual([facts.test?.accuracy, facts.test?.examples], [accuracy.accuracy, accuracy.examples]);
    assert.equal(facts.sha256, accuracy.sha256);
    const bytes = await readFile(join(work, last.output ?? ''));
    assert.equal(last.sizeBytes, bytes.length);
    for (const given of [id, id.slice(0, -2), 'runs/tiny', 'runs/tiny/aggregated-model.h5']) {
      await exportWell(given, '--to', 'onnx', '--output', 'again.onnx');
      assert.deepEqual(await readFile(join(work, 'again.onnx')), bytes, given);
    }
  });

  it("tells a client's own model, the initial model and a stranger's apart", async () => {
    const own = await exportWell('runs/tiny/model/1-model.h5', '--to', 'safetensors');
    assert.deepEqual([own.output, own.facts.round, own.facts.client], ['1-model.safetensors', 2, 1]);
    const initial = await exportWell('runs/tiny/rounds/0001/global.h5', '--to', 'safetensors');
    assert.deepEqual(
      [initial.facts.round, initial.facts.client, initial.facts.test],
      [0, undefined, undefined],
    );
    await cp(join(work, 'runs/tiny/aggregated-model.h5'), join(work, 'copy.h5'));
    const copy = await exportWell('copy.h5', '--to', 'keras');
    assert.deepEqual([copy.output, copy.facts.run], ['copy.keras', undefined]);
  });

  it('writes a card beside the model, or alone', async () => {
    const both = await exportWell('tiny', '--to', 'keras', '--card', '--output', 'out/digits.keras');
    assert.equal(both.card, 'out/digits.md');
    const card = await readFile(join(work, 'out/digits.md'), 'utf8');
    assert.match(card, /keras\.models\.load_model\("digits\.keras"\)/);
    assert.match(card, /trained by federated averaging over 2 clients in 2 of at most 2 rounds/);
    const alone = await exportWell('tiny', '--card', '--output', 'CARD.md');
    assert.deepEqual([alone.card, alone.output, alone.to], ['CARD.md', undefined, undefined]);
    assert.match(await readFile(join(work, 'CARD.md'), 'utf8'), /load_model\("aggregated-model\.h5"\)/);
  });

  it('replaces a folder of its own, and no other', async () => {
    const first = await exportWell('tiny', '--to', 'tfjs', '--output', 'page');
    assert.ok((first.sizeBytes ?? 0) > 1000);
    await exportWell('tiny', '--to', 'tfjs', '--output', 'page');
    assert.deepEqual((await readdir(join(work, 'page'))).sort(), ['group1-shard1of1.bin', 'model.json']);
    await mkdir(join(work, 'mine'));
    await writeFile(join(work, 'mine', 'notes.txt'), 'mine');
    await assertRefused(
      ['tiny', '--to', 'tfjs', '--output', 'mine'],
      2,
      /--output mine: other files lie in this folder/,
    );
    await assertRefused(
      ['tiny', '--to', 'tfjs', '--output', 'mine/notes.txt'],
      2,
      /is a folder, and something else lies/,
    );
  });

  it('refuses in a sentence what is not there, what goes to no format, and a wrong name', async () => {
    await assertRefused(['tiny'], 2, /Nothing is to be written: choose a format with --to, or a model card/);
    await assertRefused(
      ['nowhere', '--to', 'onnx'],
      2,
      /nowhere is no run: expected the volume of a run, its name or/,
    );
    await assertRefused(
      ['nowhere.h5', '--to', 'onnx'],
      3,
      /nowhere\.h5: expected a model file or the volume of a run, found nothing/,
    );
    await assertRefused(['runs', '--to', 'onnx'], 3, /^runs: expected the volume of a run with a model/);
    await assertRefused(
      ['tiny', '--to', 'onnx', '--output', 'x.pb'],
      2,
      /--output x\.pb: the name of an ONNX file ends in \.onnx/,
    );
    await assertRefused(
      ['tiny', '--to', 'torch'],
      2,
      /Allowed choices are onnx, savedmodel, tfjs, safetensors, keras/,
    );
    await writeFile(join(work, 'text.h5'), 'no model');
    await assertRefused(['text.h5', '--to', 'onnx'], 3, /^text\.h5: expected a Keras model/);
  });

  it('refuses by name what a format cannot hold', async () => {
    const description = imageModel([
      {
        kind: 'groupNormalization',
        name: 'gn',
        groups: 1,
        axis: -1,
        epsilon: 1e-3,
        center: true,
        scale: true,
      },
      ...head,
    ]);
    await writeKerasFile(
      join(work, 'groups.h5'),
      fileOf({ description, weights: unevenWeights(description) }),
    );
    await assertRefused(
      ['groups.h5', '--to', 'tfjs'],
      2,
      /^groups\.h5 cannot be written as a model of TensorFlow\.js: layer gn \(GroupNormalization\): TensorFlow\.js has no such layer\. With --to onnx/,
    );
  });

  it('says what is missing where no Python writes a SavedModel', async () => {
    const without = (python: string) => [
      'tiny',
      '--to',
      'savedmodel',
      '--python',
      python,
      '--output',
      'saved',
    ];
    await assertRefused(
      without('no-such-python'),
      2,
      /no-such-python cannot be started \(ENOENT\): pip install tensorflow, or name another one by --python/,
    );
    const python = join(work, 'bare-python');
    await writeFile(python, '#!/bin/sh\necho "No module named \'tensorflow\'" >&2\nexit 3\n', {
      mode: 0o755,
    });
    await assertRefused(without(python), 2, /has no TensorFlow \(No module named 'tensorflow'\)/);
  });

  /** Refused with this exit code and sentence, with nothing new in the directory. */
  async function assertRefused(args: readonly string[], code: number, sentence: RegExp): Promise<void> {
    const before = await readdir(work, { recursive: true });
    const { exitCode, stderr } = await fedbatch(...args);
    assert.equal(exitCode, code, stderr);
    assert.match(stderr.replace(/^error: /i, ''), sentence);
    assert.deepEqual(await readdir(work, { recursive: true }), before);
  }
});

it('equal models give equal files', async () => {
  const description = describeModel('mlp', { inputShape: [4], outputs: 2 }, [3]);
  await writeKerasFile(join(work, 'equal.h5'), fileOf({ description, weights: unevenWeights(description) }));
  for (const to of ['onnx', 'safetensors', 'keras'] as const) {
    const hashes = [];
    for (const output of [`one.${to}`, `two.${to}`]) {
      await exportWell('equal.h5', '--to', to, '--output', output);
      hashes.push(sha256(await readFile(join(work, output))));
    }
    assert.equal(hashes[0], hashes[1], to);
  }
});

it('the library does the same, and calls options by their names', async () => {
  const [model, output] = [join(work, 'runs/tiny/aggregated-model.h5'), join(work, 'library.onnx')];
  const { facts, to } = await exportModel({ model, to: 'onnx', output });
  assert.deepEqual([to, facts.sha256], ['onnx', sha256(await readFile(model))]);
  await assert.rejects(exportModel({ model, to: 'torch' as 'onnx' }), {
    name: 'UsageError',
    message: 'to: expected one of onnx, savedmodel, tfjs, safetensors, keras, found "torch".',
  });
  await assert.rejects(exportModel({ model, to: 'keras', output }), {
    message: `output ${output}: the name of a .keras file ends in .keras.`,
  });
});
