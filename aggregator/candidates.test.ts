/** What an update that cannot be read means: a client's fault is a reason, a failure of this machine's disk ends the stage. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DataError } from '../lib/core/errors.js';
import { unreadable } from './candidates.js';

const refused = (code: string, errno?: number) => {
  const cause = Object.assign(new Error('refused'), { code, errno });
  return new DataError({ file: '0.h5', expected: 'a Keras model', found: `a file (${code})` }, { cause });
};

test('no client is left out of an average since the disk failed while its update was read', () => {
  const unnamed = refused('Unknown system error -116', -116);
  for (const error of [...['EIO', 'ESTALE', 'EMFILE', 'ENOMEM'].map((code) => refused(code)), unnamed]) {
    assert.throws(() => unreadable(error), error);
  }
});

test('a file that nobody may read, that is gone or is no model is a reason', () => {
  assert.equal(unreadable(refused('EACCES')), 'expected a Keras model, found a file (EACCES)');
  assert.equal(unreadable(refused('ENOENT')), 'expected a Keras model, found a file (ENOENT)');
  const empty = new DataError({ file: '0.h5', expected: 'a Keras model', found: 'an empty file' });
  assert.equal(unreadable(empty), 'expected a Keras model, found an empty file');
  assert.throws(() => unreadable(new TypeError('a bug')), TypeError);
});
