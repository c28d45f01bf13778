/** A run's name and what tells two runs apart. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunSettings } from '../lib/formats/run-record.js';
import { continuedSettings, runId, settingsDifferences } from './settings.js';

const settings: RunSettings = {
  seed: 0,
  dataset: { name: 'digits' },
  model: { name: 'cnn' },
  engine: { name: 'auto' },
  training: { epochs: 2, batch: 100, optimizer: 'adam', learningRate: 0.001, momentum: 0.9 },
  federation: {
    clients: 3,
    rounds: 1,
    partition: { scheme: 'iid', minExamples: 1 },
    fraction: 1,
    minClients: 1,
  },
};
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
  const ids = [settings, ...others].map(runId);
  assert.equal(new Set(ids).size, ids.length);
});

test('the id does not depend on what is found out later, or on the order of keys', () => {
  const { seed, ...rest } = settings;
  assert.equal(runId({ ...settings, dataset: { name: 'digits', sha256: hash('a') } }), runId(settings));
  assert.equal(runId({ ...rest, seed }), runId(settings));
});

test('differences name the flag, the old value and the new one', () => {
  assert.deepEqual(settingsDifferences(settings, settings), []);
  const other = { ...settings, seed: 7, training: { ...settings.training, epochs: 3 } };
  assert.deepEqual(settingsDifferences(settings, other), ['--seed 0, now 7', '--epochs 2, now 3']);
});

test('a dataset is known by its content where both runs read it, else by its name', () => {
  const at = (name: string, sha256?: string): RunSettings => ({
    ...settings,
    dataset: sha256 === undefined ? { name } : { name, sha256 },
  });
  assert.deepEqual(settingsDifferences(at('/a.npz', hash('a')), at('/moved/a.npz', hash('a'))), []);
  assert.deepEqual(settingsDifferences(at('/a.npz', hash('a')), at('/a.npz', hash('b'))), [
    `sha256 of the dataset ${hash('a')}, now ${hash('b')}`,
  ]);
  assert.deepEqual(settingsDifferences(at('digits', hash('a')), at('digits')), []);
  assert.deepEqual(settingsDifferences(at('digits', hash('a')), at('mnist')), ['--data digits, now mnist']);
});

test('a run may go on longer or shorter, but not where the learning rate looks ahead to its last round', () => {
  const changed = (
    changes: Partial<RunSettings['federation']>,
    training = settings.training,
  ): RunSettings => ({
    ...settings,
    training,
    federation: { ...settings.federation, ...changes },
  });
  const longer = { rounds: 9, targetAccuracy: 0.9, patience: 3 };
  assert.deepEqual(settingsDifferences(settings, changed(longer)), []);
  assert.notEqual(runId(changed(longer)), runId(settings), 'which volume is the default is another matter');
  assert.equal(continuedSettings(settings, changed(longer)).federation.rounds, 9);
  assert.equal(continuedSettings(changed(longer), settings).federation.rounds, 9);
  assert.equal('patience' in continuedSettings(changed(longer), settings).federation, false);
  const cosine = { ...settings.training, learningRateDecay: 'cosine' as const };
  assert.deepEqual(settingsDifferences(changed({}, cosine), changed(longer, cosine)), ['--rounds 1, now 9']);
  assert.deepEqual(settingsDifferences(settings, changed({ fraction: 0.5 })), ['--fraction 1, now 0.5']);
});
