/** Tests of recorded partitions: read back whole, those of older records too, others refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { partitionSettings } from '../../test/settings.js';
import { partitionSchemeNames } from '../federation/partition/settings.js';
import { seededPartitionSchema } from './manifest.js';
import { partitionSettingsSchema } from './run-record.js';

test('the settings of every scheme are read back as they were written', () => {
  for (const scheme of partitionSchemeNames) {
    const settings = partitionSettings(scheme, scheme === 'by-key' ? { key: 'writer' } : {});
    const written = JSON.parse(JSON.stringify(settings));
    assert.deepEqual(partitionSettingsSchema.parse(written), settings);
    assert.deepEqual(seededPartitionSchema.parse({ ...written, seed: 7 }), { ...settings, seed: 7 });
  }
});

test('records of the first version are read: a name alone, a name and a seed', () => {
  assert.deepEqual(partitionSettingsSchema.parse('strided'), { scheme: 'strided', minExamples: 1 });
  const manifest = seededPartitionSchema.parse({ scheme: 'iid', seed: 7 });
  assert.deepEqual(manifest, { scheme: 'iid', minExamples: 1, seed: 7 });
});

test('an unknown scheme, a parameter that is missing, out of range or of another scheme are refused', () => {
  for (const wrong of [
    'fair',
    { scheme: 'dirichlet' },
    { scheme: 'dirichlet', alpha: 0 },
    { scheme: 'pathological', piecesPerClient: 1.5 },
    { scheme: 'iid', alpha: 1 },
    {},
  ]) {
    assert.equal(partitionSettingsSchema.safeParse(wrong).success, false, JSON.stringify(wrong));
  }
});
