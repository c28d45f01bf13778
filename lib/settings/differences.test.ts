/** What tells two runs apart, and what a run may take up on the volume of another one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_SETTINGS as settings } from '../../test/sample-records.js';
import { continuedSettings, settingsDifferences } from './differences.js';
import { byFlag, byPlace } from './setting.js';
import { ALL_PARTS, type RunSettings } from './table.js';

const differences = (then: RunSettings, now: RunSettings) =>
  settingsDifferences(then, now, byFlag({ parts: ALL_PARTS }));
const hash = (digit: string) => digit.repeat(64);

test('differences name the flag, the old value and the new one', () => {
  assert.deepEqual(differences(settings, settings), []);
  const other = { ...settings, seed: 7, training: { ...settings.training, epochs: 3 } };
  assert.deepEqual(differences(settings, other), ['--seed 0, now 7', '--epochs 2, now 3']);
  assert.deepEqual(settingsDifferences(settings, other, byPlace), [
    'seed 0, now 7',
    'training.epochs 2, now 3',
  ]);
});

test('a dataset is known by its content where both runs read it, else by its name', () => {
  const at = (name: string, sha256?: string): RunSettings => ({
    ...settings,
    dataset: sha256 === undefined ? { name } : { name, sha256 },
  });
  assert.deepEqual(differences(at('/a.npz', hash('a')), at('/moved/a.npz', hash('a'))), []);
  assert.deepEqual(differences(at('/a.npz', hash('a')), at('/a.npz', hash('b'))), [
    `sha256 of the dataset ${hash('a')}, now ${hash('b')}`,
  ]);
  assert.deepEqual(differences(at('digits', hash('a')), at('digits')), []);
  assert.deepEqual(differences(at('digits', hash('a')), at('mnist')), ['--data digits, now mnist']);
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
  assert.deepEqual(differences(settings, changed(longer)), []);
  assert.equal(continuedSettings(settings, changed(longer)).federation.rounds, 9);
  assert.equal(continuedSettings(changed(longer), settings).federation.rounds, 9);
  assert.equal('patience' in continuedSettings(changed(longer), settings).federation, false);
  const cosine = { ...settings.training, learningRateDecay: 'cosine' as const };
  assert.deepEqual(differences(changed({}, cosine), changed(longer, cosine)), ['--rounds 1, now 9']);
  assert.deepEqual(differences(settings, changed({ fraction: 0.5 })), ['--fraction 1, now 0.5']);
});
