import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeTinyDataset } from '../../test/datasets.js';
import { runCommand } from '../../test/program-host.js';
import { commandNamed } from '../../test/programs.js';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { withoutAliases } from './aliases.js';

/** Every program that has an option with other names, and all of those. */
const TAKEN: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  split: {
    '--n-container': '--clients',
    '--savedir': '--out',
    '--num-clients': '--clients',
    '--dataset': '--data',
  },
  init: { '--savemodel': '--out', '--save': '--out' },
  train: {
    '--epoch': '--epochs',
    '--savemodel': '--out',
    '--lr': '--learning-rate',
    '--bs': '--batch',
    '--batch-size': '--batch',
    '--local-epochs': '--epochs',
  },
  aggregate: { '--savefile': '--out', '--output': '--out' },
  evaluate: { '--modelpath': '--model', '--savefile': '--out', '--batch-size': '--batch' },
  serve: { '--modelpath': '--model' },
  run: {
    '--n-container': '--clients',
    '--n-clients': '--clients',
    '--epoch': '--epochs',
    '--num-epochs': '--epochs',
    '--num-rounds': '--rounds',
    '--round': '--rounds',
    '--lr': '--learning-rate',
  },
};

for (const [name, aliases] of Object.entries(TAKEN)) {
  test(`${name} takes other names of its options, and its help shows none of them`, async () => {
    const command = await commandNamed(name);
    const help = command.helpInformation();
    for (const [alias, own] of Object.entries(aliases)) {
      assert.deepEqual(withoutAliases(command, [alias, 'x', `${alias}=y`]), [own, 'x', `${own}=y`]);
      assert.match(help, new RegExp(`^ +${own} `, 'm'));
      assert.doesNotMatch(help, new RegExp(`${alias}(?![\\w-])`));
    }
  });
}

test('a program that has an option of such a name means that one', async () => {
  const train = await commandNamed('train');
  // The clients of a round are no count of clients, and the round is not the number of rounds.
  for (const argv of [
    ['--clients', '3,7'],
    ['--round', '2'],
    ['--n-container', '3'],
    ['--model', 'mlp'],
    ['--modelpath', 'x.h5'],
    ['--', '--epoch'],
  ]) {
    assert.deepEqual(withoutAliases(train, argv), argv);
  }
});

test('a subcommand has the names of its own options', async () => {
  const k8s = await commandNamed('k8s');
  assert.deepEqual(withoutAliases(k8s, ['render', '--n-container', '3', '--epoch=2', '--output', 'deploy']), [
    'render',
    '--clients',
    '3',
    '--epochs=2',
    '--out',
    'deploy',
  ]);
  assert.deepEqual(withoutAliases(k8s, ['run', '--n-container', '3']), ['run', '--clients', '3']);
});

test('the names of the first version do the whole job, and end with the same bytes', async (t) => {
  const directory = await temporaryDirectory(t);
  const data = await writeTinyDataset(directory);
  const job = async (place: string, names: Readonly<Record<string, string>>) => {
    const at = (...parts: readonly string[]) => join(directory, place, ...parts);
    for (const [command, ...args] of [
      ['split', '--data', data, names.clients, '1', names.directory, at('data'), '--seed', '5'],
      ['init', '--data', at('data/0.npz'), '--model', 'mlp', names.file, at('global.h5')],
      [
        ...['train', '--data', at('data/0.npz'), '--init', at('global.h5'), names.epochs, '1'],
        ...[names.file, at('updates/0.h5')],
      ],
      ['aggregate', '--dir', at('updates'), names.report, at('model.h5')],
      ['evaluate', names.model, at('model.h5'), '--data', at('data/test.npz'), names.report, at('a.json')],
    ]) {
      const { exitCode, stderr } = await runCommand(command as string, args as string[]);
      assert.equal(exitCode, 0, stderr);
    }
    return readFile(at('model.h5'));
  };
  const first = await job('first', {
    clients: '--n_container',
    directory: '--savedir',
    file: '--savemodel',
    epochs: '--epoch',
    report: '--savefile',
    model: '--modelpath',
  });
  const now = await job('now', {
    clients: '--clients',
    directory: '--out',
    file: '--out',
    epochs: '--epochs',
    report: '--out',
    model: '--model',
  });
  assert.deepEqual(first, now);
});

test('what is nearly an option gets a suggestion', async () => {
  const { exitCode, stderr } = await runCommand('train', [
    '--data',
    'x',
    '--out',
    'y',
    '--learningrate',
    '1',
  ]);
  assert.equal(exitCode, 2);
  assert.match(stderr, /unknown option '--learningrate'\n\(Did you mean --learning-rate\?\)/);
});
