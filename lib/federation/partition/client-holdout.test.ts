/** Tests of what clients hold out: a partition of their examples, of every label its share, the same for the same seed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { holdOutOfClient } from './client-holdout.js';

const shard = fc.record({
  labels: fc.array(fc.constantFrom(0, 0, 0, 1, 1, 2, 7), { minLength: 1, maxLength: 120, size: 'max' }),
  isLabelled: fc.boolean(),
  fraction: fc.constantFrom(1e-9, 0.05, 0.1, 0.25, 0.5, 0.9, 1 - 1e-9),
  seed: fc.nat(),
  client: fc.nat({ max: 9999 }),
});

/** Examples that a client was dealt: not the first ones, and in an order of their own. */
const dealt = (count: number) => Uint32Array.from({ length: count }, (_, at) => 3 * (count - at));

/** Labels of all examples, of which the client has some. */
function labelsOfAll(indices: Uint32Array, labels: readonly number[]): Int32Array {
  const all = new Int32Array(3 * indices.length + 1).fill(5);
  for (const [at, index] of indices.entries()) all[index] = labels[at] as number;
  return all;
}

const count = <T>(list: Iterable<T>, one: T) => [...list].filter((each) => each === one).length;

test('no example is lost and none is there twice, both parts keep the order, and of two examples one is held out', () => {
  fc.assert(
    fc.property(shard, ({ labels, isLabelled, ...options }) => {
      const indices = dealt(labels.length);
      const all = isLabelled ? labelsOfAll(indices, labels) : undefined;
      const { kept, held } = holdOutOfClient(indices, { labels: all, ...options });
      const order = (part: Uint32Array) => part.every((each, at) => at === 0 || each < (part[at - 1] ?? 0));
      assert.deepEqual(
        [...kept, ...held].sort((a, b) => b - a),
        [...indices],
      );
      assert.ok(order(kept) && order(held));
      const wanted = Math.round(labels.length * options.fraction);
      const expected = labels.length < 2 ? 0 : Math.min(labels.length - 1, Math.max(1, wanted));
      assert.equal(held.length, expected);
    }),
  );
});

test('each label gives up its exact share, to one example', () => {
  fc.assert(
    fc.property(shard, ({ labels, isLabelled: _, ...options }) => {
      const indices = dealt(labels.length);
      const all = labelsOfAll(indices, labels);
      const { held } = holdOutOfClient(indices, { labels: all, ...options });
      for (const label of new Set(labels)) {
        const share = (held.length * count(labels, label)) / labels.length;
        const found = count(
          Array.from(held, (index) => all[index] as number),
          label,
        );
        assert.ok(Math.abs(found - share) < 1, `${found} of label ${label}, not ${share}`);
      }
    }),
  );
});

test('the same seed and client hold out the same; another seed, and another client, something else', () => {
  const indices = dealt(200);
  const options = { labels: undefined, fraction: 0.1, seed: 3, client: 4 };
  const held = (changes: Partial<typeof options> = {}) => [
    ...holdOutOfClient(indices, { ...options, ...changes }).held,
  ];
  assert.deepEqual(held(), held());
  assert.notDeepEqual(held(), held({ seed: 4 }));
  assert.notDeepEqual(held(), held({ client: 5 }));
});

test('a client with one example keeps it', () => {
  const { kept, held } = holdOutOfClient(Uint32Array.of(7), {
    ...{ labels: undefined, fraction: 0.9, seed: 0, client: 0 },
  });
  assert.deepEqual([[...kept], [...held]], [[7], []]);
});
