/** A run's name: what changes it, and what does not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_SETTINGS as settings } from '../../../test/sample-records.js';
import type { RunSettings } from '../../settings/table.js';
import { runId } from './find-run.js';

const hash = (digit: string) => digit.repeat(64);

test('the id names dataset, clients and epochs, and every setting changes it', () => {
  assert.match(runId(settings), /^digits-3x2-[0-9a-f]{8}$/);
  assert.match(
    runId({ ...settings, dataset: { name: '/data/my set (2).npz' } }),
    /^my-set-2-?-3x2-[0-9a-f]{8}$/,
  );
  const others: RunSettings[] = [
    { ...settings, seed: 1 },
    { ...settings, dataset: { name: 'mnist' } },
    { ...settings, model: { name: 'mlp' } },
    ...[
      { epochs: 3 },
      { batch: 10 },
      { batch: 'all' as const },
      { localSteps: 3 },
      { proximal: 0.1 },
      { learningRateDecay: 0.9 },
      { warmUpRounds: 1 },
      { scaleLearningRate: true },
      { optimizer: 'sgd' as const },
      { learningRate: 0.1 },
      { momentum: 0 },
    ].map((change) => ({ ...settings, training: { ...settings.training, ...change } })),
    ...[
      { clients: 4 },
      { rounds: 2 },
      { fraction: 0.5 },
      { minClients: 2 },
      { partition: { scheme: 'strided' as const, minExamples: 1 } },
      { partition: { scheme: 'iid' as const, minExamples: 2 } },
      { partition: { scheme: 'dirichlet' as const, alpha: 0.5, minExamples: 1 } },
      { partition: { scheme: 'dirichlet' as const, alpha: 1, minExamples: 1 } },
    ].map((change) => ({
      ...settings,
      federation: { ...settings.federation, ...change },
    })),
  ];
  const longer = { ...settings, federation: { ...settings.federation, rounds: 9, patience: 3 } };
  const ids = [settings, longer, ...others].map(runId);
  assert.equal(new Set(ids).size, ids.length);
});

test('the id does not depend on what is found out later, or on the order of keys', () => {
  const { seed, ...rest } = settings;
  assert.equal(runId({ ...settings, dataset: { name: 'digits', sha256: hash('a') } }), runId(settings));
  assert.equal(runId({ ...rest, seed }), runId(settings));
});
