/** Lists of clients as texts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readClientList, writeClientList } from './client-list.js';

test('what is written is read again, in its order', () => {
  const runs = fc.array(
    fc
      .tuple(fc.nat(999_999_000), fc.integer({ min: 1, max: 20 }))
      .map(([first, count]) => Array.from({ length: count }, (_, at) => first + at)),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(runs, (lists) => {
      const clients = lists.flat();
      const text = writeClientList(clients);
      assert.deepEqual(readClientList(text), clients);
      assert.ok(text.length <= clients.join().length);
    }),
  );
  assert.equal(writeClientList(Array.from({ length: 4000 }, (_, client) => client)), '0-3999');
  assert.equal(writeClientList([3, 7, 8, 12, 13, 14, 1]), '3,7,8,12-14,1');
});

test('what is no list, or one that nobody means, is none', () => {
  assert.deepEqual(readClientList(''), []);
  assert.deepEqual(readClientList('7'), [7]);
  for (const text of ['a', ' ', '1,', '1;2', '3-1', '-1', '1-', '1.5', '0-999999999', `${'1,'.repeat(9)}1e3`])
    assert.equal(readClientList(text), undefined, text);
});
