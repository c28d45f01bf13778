/** What a run's settings mean for the clients of a round. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { volumePaths } from '../../lib/formats/volume.js';
import type { RunSettings } from '../../lib/settings/table.js';
import { aggregateCommand, roundLearningRate, type StageCommand, trainCommand } from './stage-commands.js';

const settings = (training: Partial<RunSettings['training']>): RunSettings => ({
  seed: 0,
  dataset: { name: 'digits' },
  model: { name: 'cnn' },
  engine: { name: 'auto' },
  training: { epochs: 2, batch: 100, optimizer: 'sgd', learningRate: 0.1, momentum: 0.9, ...training },
  federation: {
    clients: 10,
    rounds: 4,
    partition: { scheme: 'iid', minExamples: 1 },
    fraction: 1,
    minClients: 1,
  },
});

test('the stages of a round are told what its global model has to be, where that is known', () => {
  const source = { settings: settings({}), paths: volumePaths('/volume'), threads: 1 };
  const round = { round: 2, clients: [0, 1] };
  const global = { sha256: 'a'.repeat(64) };
  const after = (flag: string, { arguments: words }: StageCommand) =>
    words.includes(flag) ? words[words.indexOf(flag) + 1] : undefined;
  const files = { minUpdates: 1 };
  assert.equal(after('--init-sha256', trainCommand(source, { ...round, global }, 0)), global.sha256);
  assert.equal(
    after('--parent-sha256', aggregateCommand(source, { ...round, global }, files)),
    global.sha256,
  );
  assert.equal(after('--init-sha256', trainCommand(source, round, 0)), undefined);
  assert.equal(after('--parent-sha256', aggregateCommand(source, round, files)), undefined);
});

test('the rate is the same in every round unless a schedule is asked for', () => {
  const rates = (training: Partial<RunSettings['training']>, clients = 3) =>
    [1, 2, 3, 4].map((round) =>
      roundLearningRate(settings(training), { round, clients: Array(clients).fill(0) }),
    );
  assert.deepEqual(rates({}), [0.1, 0.1, 0.1, 0.1]);
  assert.deepEqual(rates({ learningRateDecay: 0.5 }), [0.1, 0.05, 0.025, 0.0125]);
  assert.deepEqual(rates({ warmUpRounds: 1, scaleLearningRate: true }, 9), [0.5, 0.9, 0.9, 0.9]);
  assert.ok((rates({ learningRateDecay: 'cosine' })[3] ?? 1) < 0.02);
});
