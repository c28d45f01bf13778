/** The stages by hand, as the README shows them, give the model that `fedbatch run` gives, byte for byte. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { sha256 } from '../lib/formats/files/read-file.js';
import { writeTinyDataset } from './datasets.js';
import { lastLine, runProgramFile } from './programs.js';
import { requireValidFile } from './results.js';
import { temporaryDirectory } from './temporary-directory.js';

const CLIENTS = 2;

test('the stages by hand and fedbatch run end with the same model', async (t) => {
  const directory = await temporaryDirectory(t);
  const data = await writeTinyDataset(directory);
  const volume = (name: string) => join(directory, 'by-hand', name);
  const fedbatch = async (...args: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await runProgramFile('cli', args, { cwd: directory });
    assert.equal(exitCode, 0, `${args.join(' ')}: ${stderr}`);
    return lastLine(stdout);
  };
  const settings = ['--seed', '5', '--batch', '30'];

  const run = await fedbatch(
    'run',
    '--data',
    data,
    '--clients',
    `${CLIENTS}`,
    '--model',
    'mlp',
    ...settings,
    '--threads',
    '1',
    '--json',
  );

  await fedbatch('split', '--data', data, '--clients', `${CLIENTS}`, '--out', volume('data'), '--seed', '5');
  await fedbatch(
    'init',
    '--data',
    volume('data/0.npz'),
    '--out',
    volume('global.h5'),
    '--model',
    'mlp',
    '--seed',
    '5',
  );
  for (let client = 0; client < CLIENTS; client++) {
    const files = [
      '--data',
      volume(`data/${client}.npz`),
      '--init',
      volume('global.h5'),
      '--out',
      volume(`updates/${client}.h5`),
    ];
    await fedbatch(
      'train',
      ...files,
      '--client',
      `${client}`,
      '--epochs',
      '2',
      ...settings,
      '--threads',
      '1',
    );
  }
  await fedbatch(
    'aggregate',
    '--dir',
    volume('updates'),
    '--parent',
    volume('global.h5'),
    '--out',
    volume('aggregated-model.h5'),
  );
  const tested = join(directory, 'result.json');
  process.env.FEDBATCH_RESULT_FILE = tested;
  const models = [volume('global.h5'), volume('aggregated-model.h5')];
  await fedbatch('evaluate', '--model', ...models, '--out', join(directory, 'both.json'));
  requireValidFile('evaluate-results', tested);
  const accuracy = await fedbatch('evaluate', '--model', volume('aggregated-model.h5'));
  requireValidFile('evaluate-result', tested);
  delete process.env.FEDBATCH_RESULT_FILE;

  const result = JSON.parse(run) as { readonly sha256: string; readonly accuracy: number };
  assert.equal(sha256(await readFile(volume('aggregated-model.h5'))), result.sha256);
  assert.ok(accuracy.endsWith(`acc: ${result.accuracy.toFixed(4)}`), accuracy);
});
