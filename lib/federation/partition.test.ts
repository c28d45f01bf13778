/** Tests of partition schemes: every example once, shards of one size, the same for the same seed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UsageError } from './errors.js';
import { holdOut, identity, partition, partitionSchemeNames } from './partition.js';

const sizes = fc
  .integer({ min: 1, max: 400 })
  .chain((examples) =>
    fc.record({ examples: fc.constant(examples), clients: fc.integer({ min: 1, max: examples }) }),
  );
const labelsOf = (examples: number) => Int32Array.from({ length: examples }, (_, index) => index % 10);
const flat = (shards: readonly Uint32Array[]) => shards.flatMap((shard) => [...shard]);

for (const scheme of partitionSchemeNames) {
  test(`${scheme} deals every example exactly once, in shards that differ by one at most`, () => {
    fc.assert(
      fc.property(sizes, fc.nat(), ({ examples, clients }, seed) => {
        const shards = partition(labelsOf(examples), { scheme, clients, seed });
        assert.equal(shards.length, clients);
        assert.deepEqual(Uint32Array.from(flat(shards)).sort(), identity(examples));
        const lengths = shards.map((shard) => shard.length);
        assert.ok(Math.max(...lengths) - Math.min(...lengths) <= 1);
      }),
    );
  });

  test(`${scheme} refuses more clients than examples, and none`, () => {
    const deal = (clients: number) => () => partition(labelsOf(5), { scheme, clients, seed: 0 });
    assert.throws(
      deal(6),
      new UsageError('Expected at most 5 clients for 5 training examples (one each), found 6.'),
    );
    for (const clients of [0, -1, 1.5, Number.NaN]) assert.throws(deal(clients), UsageError);
  });
}

test('strided takes every K-th example in the order of the file', () => {
  const shards = partition(labelsOf(7), { scheme: 'strided', clients: 3, seed: 9 });
  assert.deepEqual(shards, [Uint32Array.of(0, 3, 6), Uint32Array.of(1, 4), Uint32Array.of(2, 5)]);
});

test('iid depends on the seed alone, and mixes', () => {
  const deal = (seed: number) => partition(labelsOf(6000), { scheme: 'iid', clients: 3, seed });
  assert.deepEqual(deal(1), deal(1));
  assert.notDeepEqual(deal(1), deal(2));
  // Of 600 examples of a class a shard holds 200, with a standard deviation of 11.
  for (const shard of deal(1)) {
    const sevens = shard.filter((index) => index % 10 === 7).length;
    assert.ok(Math.abs(sevens - 200) < 60, `${sevens}`);
  }
});

test('held-out examples and the rest are all examples, both in order, neither empty', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 300 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.nat(),
      (n, f, seed) => {
        const { train, test: held } = holdOut(n, f, seed);
        assert.deepEqual(Uint32Array.from([...train, ...held]).sort(), identity(n));
        assert.deepEqual(
          [...train],
          [...train].sort((a, b) => a - b),
        );
        assert.deepEqual(
          [...held],
          [...held].sort((a, b) => a - b),
        );
        assert.ok(train.length > 0 && held.length > 0);
        assert.ok(Math.abs(held.length - n * f) <= 1);
      },
    ),
  );
  assert.throws(() => holdOut(1, 0.5, 0), UsageError);
  assert.notDeepEqual(holdOut(100, 0.1, 1), holdOut(100, 0.1, 2));
});
