/** Tests of partition schemes: every example once, the minimum honoured, the same for the same seed, each scheme's law. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { partitionSettings } from '../../../test/settings.js';
import { UsageError } from '../../core/errors.js';
import { ownersByKey } from './by-owner.js';
import { identity } from './dealing.js';
import { holdOut } from './hold-out.js';
import { dealDataset, type PartitionOptions, partition } from './partition.js';
import { type PartitionSettings, partitionSchemeNames } from './settings.js';

const flat = (shards: readonly Uint32Array[]) => shards.flatMap((shard) => [...shard]);
const range = (count: number) => Array.from({ length: count }, (_, index) => index);
const labelsOf = (examples: number, classes = 10) =>
  Int32Array.from({ length: examples }, (_, index) => index % classes);

/** Labels in a random order, some of them missing, some rare. */
const labels = fc
  .array(fc.constantFrom(0, 0, 0, 1, 1, 2, 3, 7), { minLength: 1, maxLength: 300, size: 'max' })
  .map((list) => Int32Array.from(list));

/** The schemes that need labels at most. */
const DEALING = partitionSchemeNames.filter((name) => name !== 'by-key' && name !== 'given');

/** A scheme with any parameters, by no means always ones that go together with the examples. */
const settings: fc.Arbitrary<PartitionSettings> = fc.oneof(
  fc.constantFrom('iid' as const, 'strided' as const).map((scheme) => ({ scheme, minExamples: 1 })),
  fc
    .record({ piecesPerClient: fc.integer({ min: 1, max: 4 }) })
    .map((own) => ({ scheme: 'pathological' as const, ...own, minExamples: 1 })),
  fc
    .record({
      scheme: fc.constantFrom('dirichlet' as const, 'quantity-skew' as const),
      alpha: fc.constantFrom(1e-300, 0.01, 0.3, 1, 1, 10, 1e300),
    })
    .map((own) => ({ ...own, minExamples: 1 })),
  fc
    .record({ labelsPerClient: fc.integer({ min: 1, max: 4 }) })
    .map((own) => ({ scheme: 'label-skew' as const, ...own, minExamples: 1 })),
  fc
    .record({
      labelsPerClient: fc.integer({ min: 1, max: 4 }),
      sigma: fc.constantFrom(1e-300, 0.5, 2, 1e300),
    })
    .map((own) => ({ scheme: 'power-law' as const, ...own, minExamples: 1 })),
);

const options: fc.Arbitrary<PartitionOptions> = fc
  .record({
    settings,
    clients: fc.integer({ min: 1, max: 12 }),
    seed: fc.nat(),
    minExamples: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ settings, ...rest }) => ({ ...settings, ...rest }));

/** The shards, or undefined where the request is refused in words. */
function attempt(of: Int32Array, how: PartitionOptions): readonly Uint32Array[] | undefined {
  try {
    return partition(of, how);
  } catch (error) {
    assert.ok(error instanceof UsageError, String(error));
    return undefined;
  }
}

describe('every scheme', () => {
  test('deals every example exactly once, gives each client its minimum, and repeats itself; or refuses', () => {
    const dealt = new Map<string, number>();
    fc.assert(
      fc.property(labels, options, (of, how) => {
        const shards = attempt(of, how);
        if (shards === undefined) return;
        dealt.set(how.scheme, (dealt.get(how.scheme) ?? 0) + 1);
        assert.equal(shards.length, how.clients);
        assert.deepEqual(Uint32Array.from(flat(shards)).sort(), identity(of.length));
        assert.ok(shards.every((shard) => shard.length >= how.minExamples));
        assert.deepEqual(partition(of, how), shards);
      }),
      { numRuns: 500 },
    );
    // The property says something of each scheme only if many requests are fulfilled.
    for (const scheme of DEALING) {
      assert.ok((dealt.get(scheme) ?? 0) > 5, `${scheme}: ${dealt.get(scheme)}`);
    }
  });

  test('depends on the seed, but for strided', () => {
    const schemes = DEALING.filter((name) => name !== 'strided').map((name) => partitionSettings(name));
    for (const scheme of schemes) {
      const dealt = (seed: number) => partition(labelsOf(1000), { ...scheme, clients: 5, seed });
      assert.notDeepEqual(dealt(1), dealt(2), scheme.scheme);
    }
  });

  test('refuses more clients than examples allow, and none', () => {
    const dealt = (clients: number, minExamples = 1) =>
      partition(labelsOf(5), { ...partitionSettings('iid', { minExamples }), clients, seed: 0 });
    assert.throws(
      () => dealt(6),
      new UsageError('Expected at most 5 clients for 5 training examples (one each), found 6.'),
    );
    assert.throws(
      () => dealt(3, 2),
      new UsageError('Expected at most 2 clients for 5 training examples (at least 2 each), found 3.'),
    );
    for (const clients of [0, -1, 1.5, Number.NaN]) assert.throws(() => dealt(clients), UsageError);
  });

  test('deals MNIST-sized data to 10,000 clients in well under the time of a round', () => {
    const of = labelsOf(60_000);
    for (const scheme of ['iid', 'quantity-skew', 'label-skew', 'power-law', 'pathological'] as const) {
      assert.equal(partition(of, { ...partitionSettings(scheme), clients: 10_000, seed: 0 }).length, 10_000);
    }
  });
});

describe('iid and strided', () => {
  const cases = fc
    .integer({ min: 1, max: 400 })
    .chain((examples) =>
      fc.record({ examples: fc.constant(examples), clients: fc.integer({ min: 1, max: examples }) }),
    );
  for (const scheme of ['iid', 'strided'] as const) {
    test(`${scheme} makes shards that differ by one at most`, () => {
      fc.assert(
        fc.property(cases, fc.nat(), ({ examples, clients }, seed) => {
          const shards = partition(labelsOf(examples), { ...partitionSettings(scheme), clients, seed });
          const lengths = shards.map((shard) => shard.length);
          assert.ok(Math.max(...lengths) - Math.min(...lengths) <= 1);
        }),
      );
    });
  }

  test('iid deals these shards for ever: runs of older versions can be repeated', () => {
    const shards = partition(labelsOf(10), { ...partitionSettings('iid'), clients: 3, seed: 7 });
    assert.deepEqual(
      shards.map((shard) => [...shard]),
      PINNED_IID,
    );
  });

  test('iid mixes', () => {
    // Of 600 examples of a class a shard holds 200, with a standard deviation of 11.
    for (const shard of partition(labelsOf(6000), { ...partitionSettings('iid'), clients: 3, seed: 1 })) {
      const sevens = shard.filter((index) => index % 10 === 7).length;
      assert.ok(Math.abs(sevens - 200) < 60, `${sevens}`);
    }
  });

  test('strided takes every K-th example in the order of the file', () => {
    const shards = partition(labelsOf(7), { ...partitionSettings('strided'), clients: 3, seed: 9 });
    assert.deepEqual(shards, [Uint32Array.of(0, 3, 6), Uint32Array.of(1, 4), Uint32Array.of(2, 5)]);
  });
});

/** How many examples of each of ten labels each shard holds. */
function histograms(of: ArrayLike<number>, shards: readonly Uint32Array[]): number[][] {
  return shards.map((shard) => {
    const counts = new Array<number>(10).fill(0);
    for (const index of shard) counts[of[index] as number] = (counts[of[index] as number] ?? 0) + 1;
    return counts;
  });
}

const labelsHeld = (of: ArrayLike<number>, shard: Uint32Array) =>
  new Set([...shard].map((index) => of[index])).size;

describe('pathological', () => {
  test("is the paper's split: 100 clients with 2 pieces of 300, most of them with 2 labels, none with more", () => {
    const of = labelsOf(60_000);
    const shards = partition(of, { ...partitionSettings('pathological'), clients: 100, seed: 3 });
    assert.ok(shards.every((shard) => shard.length === 600));
    const held = shards.map((shard) => labelsHeld(of, shard));
    assert.ok(Math.max(...held) === 2);
    // A client's second piece has the label of the first with a chance of 19 in 199.
    const single = held.filter((count) => count === 1).length;
    assert.ok(single > 0 && single < 30, `${single}`);
  });

  test('never gives a client more labels than its pieces and the borders within them', () => {
    fc.assert(
      fc.property(
        labels,
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 4 }),
        (of, clients, pieces) => {
          const shards = attempt(of, {
            ...partitionSettings('pathological', { piecesPerClient: pieces }),
            clients,
            seed: 1,
          });
          if (shards === undefined) return assert.ok(clients * pieces > of.length);
          const held = shards.reduce((sum, shard) => sum + labelsHeld(of, shard), 0);
          assert.ok(held <= clients * pieces + new Set(of).size - 1);
          const lengths = shards.map((shard) => shard.length);
          assert.ok(Math.max(...lengths) - Math.min(...lengths) <= pieces);
        },
      ),
    );
  });

  test('refuses more pieces than examples', () => {
    const dealt = () =>
      partition(labelsOf(20), {
        ...partitionSettings('pathological', { piecesPerClient: 5 }),
        clients: 5,
        seed: 0,
      });
    assert.throws(
      dealt,
      /Cannot deal 5 pieces to each of 5 clients: that takes 25 pieces .* 20 training examples/,
    );
  });
});

describe('dirichlet', () => {
  const of = labelsOf(10_000);
  const dealt = (alpha: number, seed = 0) =>
    partition(of, { ...partitionSettings('dirichlet', { alpha }), clients: 10, seed });
  /** Over clients, how large the largest label is in a shard. */
  const concentration = (shards: readonly Uint32Array[]) => {
    const largest = histograms(of, shards).map(
      (counts, client) => Math.max(...counts) / (shards[client]?.length ?? 1),
    );
    return largest.reduce((sum, share) => sum + share, 0) / largest.length;
  };

  test('a large alpha gives every client every label alike', () => {
    for (const counts of histograms(of, dealt(1e6))) {
      assert.ok(
        counts.every((count) => Math.abs(count - 100) <= 5),
        counts.join(),
      );
    }
  });

  test('the smaller alpha is, the fewer labels make up a shard', () => {
    const [even, half, tenth] = [1e6, 0.5, 0.1].map((alpha) => concentration(dealt(alpha))) as [
      number,
      number,
      number,
    ];
    assert.ok(even < 0.12 && half > 0.25 && tenth > half && tenth > 0.5, [even, half, tenth].join());
  });

  test('no client gets more once it has its even share', () => {
    for (const seed of range(20)) {
      for (const shard of dealt(0.5, seed)) assert.ok(shard.length < 1000 + 1000, `${shard.length}`);
    }
  });

  test('a minimum that chance does not meet is an error with the numbers', () => {
    const impossible = () =>
      partition(of, {
        ...partitionSettings('dirichlet', { alpha: 0.1, minExamples: 990 }),
        clients: 10,
        seed: 0,
      });
    assert.throws(impossible, (error: Error) => {
      assert.ok(error instanceof UsageError);
      assert.match(
        error.message,
        /^The partition scheme dirichlet with alpha 0\.1 left one of 10 clients with at most [1-9]\d+ of 10000 training examples in each of 100 draws, but each client is to have at least 990: lower that minimum, or take fewer clients, or raise alpha\.$/,
      );
      return true;
    });
  });

  test('a minimum that chance meets now and then is met', () => {
    // About every second draw leaves a client below.
    const least = range(20).map((seed) => {
      const how = { ...partitionSettings('dirichlet', { alpha: 0.5, minExamples: 530 }), clients: 10, seed };
      return Math.min(...partition(of, how).map((shard) => shard.length));
    });
    assert.ok(Math.min(...least) >= 530);
    const without = range(20).map((seed) => Math.min(...dealt(0.5, seed).map((shard) => shard.length)));
    assert.ok(Math.min(...without) < 530, `${Math.min(...without)}`);
  });
});

describe('quantity-skew', () => {
  const of = labelsOf(100_000);
  const dealt = (alpha: number) =>
    partition(of, {
      ...partitionSettings('quantity-skew', { alpha, minExamples: 50 }),
      clients: 10,
      seed: 4,
    });

  test('varies the sizes, more with a small alpha, and keeps the proportions of labels', () => {
    const spread = (shards: readonly Uint32Array[]) =>
      Math.max(...shards.map((shard) => shard.length)) / Math.min(...shards.map((shard) => shard.length));
    assert.ok(spread(dealt(1e6)) < 1.05);
    assert.ok(spread(dealt(0.5)) > 5, `${spread(dealt(0.5))}`);
    for (const shard of dealt(0.5)) {
      const [counts = []] = histograms(of, [shard]);
      // Hypergeometric: a standard deviation of at most sqrt(n · 0.09); five of them hardly ever happen.
      const allowed = 5 * Math.sqrt(shard.length * 0.09);
      assert.ok(
        counts.every((count) => Math.abs(count - shard.length / 10) <= allowed),
        counts.join(),
      );
    }
  });
});

describe('label-skew', () => {
  test('every client holds exactly c labels, and each label is divided evenly among its holders', () => {
    let dealtTimes = 0;
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 10 }),
        fc.nat(),
        (clients, labelsPerClient, seed) => {
          const of = labelsOf(1500);
          const how = { ...partitionSettings('label-skew', { labelsPerClient }), clients, seed };
          if (clients * labelsPerClient < 10) return assert.throws(() => partition(of, how), UsageError);
          dealtTimes++;
          const counts = histograms(of, partition(of, how));
          for (const own of counts) assert.equal(own.filter((count) => count > 0).length, labelsPerClient);
          const holders = range(10).map((label) =>
            counts.map((own) => own[label] ?? 0).filter((count) => count > 0),
          );
          for (const parts of holders) assert.ok(Math.max(...parts) - Math.min(...parts) <= 1);
          const numbers = holders.map((parts) => parts.length);
          assert.ok(Math.max(...numbers) - Math.min(...numbers) <= 1);
        },
      ),
    );
    assert.ok(dealtTimes > 30);
  });

  test('refuses more labels than there are, labels without a holder, and labels too rare for their holders', () => {
    const dealt = (clients: number, labelsPerClient: number, of = labelsOf(100)) =>
      partition(of, { ...partitionSettings('label-skew', { labelsPerClient }), clients, seed: 0 });
    assert.throws(
      () => dealt(5, 11),
      /at most 10 labels per client, as many as the training examples have, found 11/,
    );
    assert.throws(() => dealt(3, 3), /Cannot place 10 labels on 3 clients with 3 each: only 9 labels/);
    const rare = Int32Array.from([...labelsOf(100, 2), 5]);
    assert.throws(
      () => dealt(4, 2, rare),
      /label 5 has 1 training examples for [23] clients that would hold it/,
    );
  });
});

describe('power-law', () => {
  const mean = (of: readonly number[]) => of.reduce((sum, each) => sum + each, 0) / of.length;
  /** Standard deviation of the shards' sizes over their mean. */
  const variation = (shards: readonly Uint32Array[]) => {
    const sizes = shards.map((shard) => shard.length);
    return Math.sqrt(mean(sizes.map((size) => (size - mean(sizes)) ** 2))) / mean(sizes);
  };

  test("is FedProx's split: 1,000 clients with 2 labels, 10 examples at least, sizes over orders of magnitude", () => {
    const of = labelsOf(60_000);
    for (const seed of range(3)) {
      const how = partitionSettings('power-law', { minExamples: 10 });
      const shards = partition(of, { ...how, clients: 1000, seed });
      const sizes = shards.map((shard) => shard.length).sort((a, b) => b - a);
      assert.ok(shards.every((shard) => labelsHeld(of, shard) === 2));
      assert.ok((sizes.at(-1) as number) >= 10);
      // Table 1 of the paper gives a mean of 69 (of 69,035 examples) with a standard deviation of 106.
      assert.equal(mean(sizes), 60);
      assert.ok(variation(shards) > 1 && variation(shards) < 3, `${variation(shards)}`);
      // Most clients are small, and a tenth of them holds about half of the examples.
      assert.ok((sizes[500] as number) < 40, `${sizes[500]}`);
      assert.ok(mean(sizes.slice(0, 100)) > 200 && (sizes[0] as number) > 500, `${sizes.slice(0, 5)}`);
    }
  });

  test('the larger σ is, the more the sizes differ; with none they are those of label-skew', () => {
    const of = labelsOf(20_000);
    const dealt = (sigma: number) =>
      partition(of, { ...partitionSettings('power-law', { sigma }), clients: 100, seed: 5 });
    const [even, half, two] = [1e-9, 0.5, 2].map((sigma) => variation(dealt(sigma))) as [
      number,
      number,
      number,
    ];
    assert.ok(even < 0.02 && half > 0.2 && half < 0.6 && two > 2 * half, [even, half, two].join());
    const skewed = partition(of, { ...partitionSettings('label-skew'), clients: 100, seed: 5 });
    for (const [client, shard] of dealt(1e-9).entries())
      assert.ok(Math.abs(shard.length - (skewed[client]?.length ?? 0)) <= 2);
  });

  test('gives each client exactly its number of labels, and its minimum alike of each', () => {
    let dealtTimes = 0;
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(),
        (clients, labelsPerClient, minExamples, seed) => {
          const of = labelsOf(600);
          const how = partitionSettings('power-law', { labelsPerClient, minExamples });
          const shards = attempt(of, { ...how, clients, seed });
          if (shards === undefined) return;
          dealtTimes++;
          for (const own of histograms(of, shards)) {
            const held = own.filter((count) => count > 0);
            assert.equal(held.length, labelsPerClient);
            assert.ok(Math.min(...held) >= Math.ceil(minExamples / labelsPerClient));
          }
        },
      ),
    );
    assert.ok(dealtTimes > 30);
  });

  test('refuses a label too rare for the minimum of its holders, and targets that are no labels', () => {
    const dealt = () =>
      partition(labelsOf(100), {
        ...partitionSettings('power-law', { minExamples: 7 }),
        clients: 14,
        seed: 0,
      });
    assert.throws(
      dealt,
      /label \d has 10 training examples for [23] clients that would hold it, at least 4 each/,
    );
    const numbers = () =>
      dealDataset(
        { length: 9 },
        { ...partitionSettings('power-law'), clients: 3, seed: 0, testFraction: 0.1 },
      );
    assert.throws(numbers, /power-law deals by labels, and the targets of these data are none/);
  });
});

describe('by-key and given', () => {
  const keys = [30, 10, 30, 20, 10, 30];
  const dealt = (minExamples = 1) =>
    partition(labelsOf(6), {
      ...partitionSettings('by-key', { key: 'writer', minExamples }),
      clients: 3,
      seed: 0,
      ownership: ownersByKey(keys),
    });

  test('clients are ordered by key, examples stay in the order of the file', () => {
    assert.deepEqual(
      dealt().map((shard) => [...shard]),
      [[1, 4], [3], [0, 2, 5]],
    );
    assert.deepEqual(ownersByKey(BigInt64Array.of(9n, -(2n ** 60n), 10n)), {
      owners: Uint32Array.of(1, 0, 2),
      names: ['-1152921504606846976', '9', '10'],
    });
  });

  test('a client with too few examples is named', () => {
    assert.throws(
      () => dealt(2),
      new UsageError('Client 1 (20) has 1 training examples, but each client is to have at least 2.'),
    );
  });

  test('data that do not say whose an example is are refused', () => {
    const given = () => partition(labelsOf(6), { ...partitionSettings('given'), clients: 3, seed: 0 });
    assert.throws(given, UsageError);
  });
});

test('held-out examples and the rest are all examples, both in order, neither empty', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 300 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.nat(),
      (n, f, seed) => {
        const { kept, test: held, take, renumber } = holdOut(n, f, seed);
        const train = take(identity(n));
        const places = identity(kept);
        renumber(places);
        assert.deepEqual(places, train);
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
  assert.notDeepEqual(holdOut(100, 0.1, 1).test, holdOut(100, 0.1, 2).test);
});

const PINNED_IID = [
  [4, 9, 8, 0],
  [2, 6, 3],
  [5, 1, 7],
];
