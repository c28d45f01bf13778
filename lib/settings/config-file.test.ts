/** Settings from files: YAML, JSON and whole records are read, flags win, and what is wrong is told with its place. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Command } from 'commander';
import { sharedDirectory } from '../../test/temporary-directory.js';
import { UsageError } from '../core/errors.js';
import { askedByFlagsAndFile } from './config-file.js';
import { addSettings } from './options.js';
import { runSettings } from './run-settings.js';
import { ALL_PARTS, type RunSettings } from './table.js';

const directory = sharedDirectory();
const SETTINGS = { parts: ALL_PARTS };

/** The settings of a run whose `--config` holds a text. */
async function run(text: string, ...flags: readonly string[]): Promise<RunSettings> {
  const file = join(directory, 'a.yaml');
  await writeFile(file, text);
  return await asked('--config', file, ...flags);
}

async function asked(...words: readonly string[]): Promise<RunSettings> {
  const command = addSettings(new Command(), SETTINGS).exitOverride();
  return runSettings(await askedByFlagsAndFile(command.parse(words, { from: 'user' }), SETTINGS));
}

const refused = (message: string | RegExp) => (error: unknown) => {
  assert.ok(error instanceof UsageError, `${error}`);
  const told = error.message.replaceAll(`${directory}/`, '');
  if (typeof message === 'string') assert.equal(told, message);
  else assert.match(told, message);
  return true;
};

test('a file gives what flags give', async () => {
  const yaml = `
# ten hospitals
dataset: { name: mnist, scale: -1..1 }
model: mlp
training:
  localSteps: 3
  batch: all
  optimizer: sgd
federation:
  clients: 10
  fraction: 0.5
  partition: { scheme: dirichlet, alpha: 0.1 }
strategy: { name: fedadam, beta1: 0.5 }
tolerance: { quorum: 80% }
seed:
`;
  const flags = [
    ...['--data', 'mnist', '--scale', '-1..1', '--model', 'mlp', '--local-steps', '3', '--batch', 'all'],
    ...['--optimizer', 'sgd', '--clients', '10', '--fraction', '0.5', '--partition', 'dirichlet'],
    ...['--alpha', '0.1', '--strategy', 'fedadam', '--beta1', '0.5'],
  ];
  const settings = await asked(...flags);
  assert.deepEqual(await run(yaml), settings);
  assert.deepEqual(await run(JSON.stringify(settings)), settings);
  assert.deepEqual(await run(''), await asked());
});

test('flags win over a file, and over what they replace or make foreign in it', async () => {
  const file = `
training: { epochs: 5, batch: 20 }
federation: { partition: { scheme: dirichlet, alpha: 0.1 } }
strategy: { clipNorm: 2 }
`;
  const { training } = await run(file, '--batch', '50');
  assert.deepEqual([training.epochs, training.batch], [5, 50]);
  const steps = (await run(file, '--local-steps', '7')).training;
  assert.deepEqual([steps.epochs, steps.localSteps], [undefined, 7]);
  const { partition } = (await run(file, '--partition', 'iid')).federation;
  assert.deepEqual(partition, { scheme: 'iid', minExamples: 1 });
  const { strategy } = await run(file, '--dp-clip', '1', '--dp-noise', '1');
  assert.deepEqual(strategy?.clipNorm, undefined);
  const privacy = 'strategy: { privacy: { clip: 1, noise: 1 } }';
  assert.deepEqual((await run(privacy, '--clip-norm', '2')).strategy, { name: 'fedavg', clipNorm: 2 });
});

test('what is wrong is told with the file and the place', async () => {
  for (const [text, message] of [
    ['training: { epoch: 2 }', 'a.yaml: there is no setting training.epoch. Did you mean training.epochs?'],
    ['epochs: 2', 'a.yaml: there is no setting epochs. Did you mean training.epochs?'],
    [
      'training: { learning_rate: 1 }',
      /no setting training\.learning_rate\. Did you mean training\.learningRate\?$/,
    ],
    ['trainig: { batch: 2 }', 'a.yaml: there is no setting trainig. Did you mean training?'],
    ['training: 3', 'a.yaml: training: expected settings by name, found 3.'],
    ['weather: rain', 'a.yaml: there is no setting weather.'],
    [
      'training: { batch: 0 }',
      'a.yaml: training.batch: expected a whole number of at least 1, or all, found 0.',
    ],
    ['training: { batch: [1] }', /training\.batch: expected .*, found a list\.$/],
    ['training: { scaleLearningRate: 1 }', /expected true or false, found 1\.$/],
    ['model: { name: 7 }', /model\.name: expected one of cnn, .*, found 7\.$/],
    ['[1, 2]', 'a.yaml: expected settings by name, found a list.'],
    ['training: { epochs: 2', /^a\.yaml: expected YAML or JSON: .*[^:]$/],
    [
      'training: *anchor',
      /^a\.yaml: expected YAML or JSON: Unresolved alias .*anchor$|^a\.yaml: expected YAML or JSON: Unresolved alias .*\.$/,
    ],
    [`\u0000${'x'.repeat(300)}: [`, /^a\.yaml: expected YAML or JSON: .{0,200}$/],
    ['training: { epochs: 2, localSteps: 3 }', /^training\.epochs 2 and training\.localSteps 3 contradict/],
  ] as const) {
    await assert.rejects(run(text), refused(message), text);
  }
  await assert.rejects(
    asked('--config', join(directory, 'none')),
    refused('--config none: there is no such file.'),
  );
  await assert.rejects(asked('--config', directory), /: it is a directory\.$/);
  await assert.rejects(
    run('{"schemaVersion":1,"round":1}'),
    /: expected settings, or the run\.json of a run, found another record\.$/,
  );
  await assert.rejects(
    asked('--config', 'a.yaml', '--config', 'b.yaml'),
    /argument 'b\.yaml' is invalid\. a\.yaml is given too: put the settings of both into one file\.$/,
  );
  await assert.rejects(
    run('training: { warmUpRounds: 3 }', '--rounds', '2'),
    refused(/^training\.warmUpRounds 3 leaves none of --rounds 2 at the full learning rate/),
  );
});
