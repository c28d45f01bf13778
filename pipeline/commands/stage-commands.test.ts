/** What a run's settings mean for the clients of a round. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunSettings } from '../../lib/settings/table.js';
import { roundLearningRate } from './stage-commands.js';

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
