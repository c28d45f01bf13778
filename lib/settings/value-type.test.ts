/** Names and tags of runs: what is one, what is refused, what of them a record holds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runLabelsOf } from '../../library/settings.js';
import { givenLabels } from './value-type.js';

test('labels that are not given leave no trace in a record', () => {
  assert.deepEqual(Object.keys(givenLabels({})), []);
  assert.deepEqual(Object.keys(givenLabels({ name: undefined, tags: [] })), []);
  assert.deepEqual(givenLabels({ name: 'first', tags: ['a', 'b', 'a'] }), {
    name: 'first',
    tags: ['a', 'b'],
  });
});

test('names are of one line, tags are words; anything else is refused in one sentence', () => {
  assert.deepEqual(runLabelsOf({ name: '  Größe 3 × 2 ', tags: ['lr=0.1', 'team/α'] }), {
    name: 'Größe 3 × 2',
    tags: ['lr=0.1', 'team/α'],
  });
  assert.deepEqual(runLabelsOf({}), {});
  for (const name of ['', '  ', 'two\nlines', 'a\u001b[31mred', 'x'.repeat(81), ['a'], {}]) {
    assert.throws(
      () => runLabelsOf({ name }),
      /^UsageError: name: expected a name of one line/,
      String(name),
    );
  }
  for (const tags of [['two words'], [''], ['<b>'], [{}]]) {
    assert.throws(() => runLabelsOf({ tags }), /^UsageError: tags: expected a word such as /, String(tags));
  }
  assert.throws(
    () => runLabelsOf({ tags: 'a' }),
    /^UsageError: tags: expected a list of words, found "a"\.$/,
  );
});
