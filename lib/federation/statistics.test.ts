/** Tests of clients' statistics: the same bytes in any order and grouping, the numbers that two passes over all rows give. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { dtypeOf, type ExampleArray, takeRows } from './examples.js';
import {
  createHistograms,
  type Histogram,
  mergeHistograms,
  publicHistogram,
  quantileOf,
} from './histogram.js';
import {
  type CategoryStatistics,
  createCategoryStatistics,
  createMerger,
  createNumberStatistics,
  describeFeatures,
  featuresOf,
  mergeStatistics,
  type NumberStatistics,
  piecesOf,
} from './statistics.js';

const FEATURES = 2;
/** Numbers of one size and of all sizes, far from 0, missing. */
const numbers = fc.oneof(
  fc.double({ min: 1e4, max: 1e5, noNaN: true }),
  fc.float({ noNaN: true, noDefaultInfinity: true }).map(Math.fround),
  fc.constantFrom(1e9, 1e9 + 1, -0, 0, 1e-30, -3.4e38, Number.NaN, Number.POSITIVE_INFINITY),
);
const rows = fc.array(fc.tuple(numbers, numbers), { minLength: 1, maxLength: 6 });
const clients = fc.array(rows, { minLength: 1, maxLength: 7 });
const arrayOf = (given: readonly (readonly number[])[]) => ({
  shape: [given.length, FEATURES],
  values: Float64Array.from(given.flat()),
});
function numberStatistics(array: ExampleArray, rows?: readonly number[]): NumberStatistics {
  const own = createNumberStatistics(featuresOf({ shape: array.shape, dtype: dtypeOf(array.values) }));
  for (const piece of piecesOf(array, rows)) own.add(piece);
  return own.told();
}
function categoryStatistics(values: readonly number[]): CategoryStatistics {
  const own = createCategoryStatistics();
  own.add(Int32Array.from(values));
  return own.told();
}
/** Puts a list together in a random order and grouping. */
function mergeAnyhow<T>(list: readonly T[], merge: (one: T, other: T) => T, choices: readonly number[]): T {
  const open = [...list];
  for (let at = 0; open.length > 1; at++) {
    const [one] = open.splice((choices[at] ?? 0) % open.length, 1) as [T];
    const [other] = open.splice((choices[at + 20] ?? 0) % open.length, 1) as [T];
    open.push(merge(one, other));
  }
  return open[0] as T;
}
const anyChoices = fc.array(fc.nat(), { minLength: 40, maxLength: 40 });

describe('the statistics of numbers', () => {
  it('are the same bytes in any order and any grouping of the clients', () =>
    fc.assert(
      fc.property(clients, anyChoices, fc.integer({ min: 1, max: 3 }), (given, choices, fewest) => {
        const own = given.map((each) => numberStatistics(arrayOf(each)));
        const merge = (one: NumberStatistics, other: NumberStatistics) => mergeStatistics(one, other, fewest);
        assert.deepEqual(mergeAnyhow(own, merge, choices), own.reduce(merge));
        const facts = (each: NumberStatistics) => JSON.stringify(describeFeatures(each, fewest));
        assert.equal(facts(mergeAnyhow(own, merge, choices)), facts(own.reduce(merge)));
        const merger = createMerger<NumberStatistics>(fewest);
        for (const each of own) merger.add(each);
        assert.deepEqual(merger.merged(), own.reduce(merge));
      }),
    ));

  it('are those of all rows at once, and those that two passes over them give', () =>
    fc.assert(
      fc.property(clients, (given) => {
        const all = given.flat();
        const merged = given
          .map((each) => numberStatistics(arrayOf(each)))
          .reduce((one, other) => mergeStatistics(one, other));
        const told = describeFeatures(merged);
        const whole = describeFeatures(numberStatistics(arrayOf(all)));
        assert.deepEqual(
          told.map((each) => each && { ...each, clients: 1 }),
          whole,
        );
        for (let feature = 0; feature < FEATURES; feature++) {
          const column = all.map((row) => row[feature] as number);
          const values = column.filter((value) => Math.abs(value) <= 3.4028234663852886e38);
          const facts = told[feature];
          if (values.length === 0) {
            assert.equal(facts, undefined);
            continue;
          }
          assert.ok(facts !== undefined);
          const mean = values.reduce((sum, value) => sum + value / values.length, 0);
          const size = Math.max(...values.map(Math.abs));
          const variance = values.reduce((sum, value) => sum + (value - mean) ** 2 / values.length, 0);
          assert.ok(Math.abs(facts.mean - mean) <= 1e-14 * size);
          assert.ok(Math.abs(facts.variance - variance) <= 1e-13 * size ** 2 + 1e-12 * variance);
          assert.deepEqual(
            [facts.values, facts.missing, facts.least, facts.most],
            [values.length, column.length - values.length, Math.min(...values) + 0, Math.max(...values) + 0],
          );
        }
      }),
    ));

  it('keep the spread of numbers far from 0, where sums of squares in floats keep none', () => {
    const [facts] = describeFeatures(
      numberStatistics({ shape: [3, 1], values: Float64Array.of(1e9, 1e9 + 1, 1e9 + 2) }),
    );
    assert.equal(facts?.mean, 1e9 + 1);
    assert.equal(facts?.variance, 2 / 3);
    const [constant] = describeFeatures(
      numberStatistics({ shape: [3, 1], values: Float64Array.of(0.1, 0.1, 0.1) }),
    );
    assert.deepEqual([constant?.mean, constant?.variance], [0.1, 0]);
  });

  it('have bounds that as many clients reach as are asked for, and tell nothing of a feature that fewer have', () => {
    const own = [[1, 9], [2, 8, Number.NaN], [3, 7], [Number.NaN]].map((values) =>
      numberStatistics({ shape: [values.length, 1], values: Float64Array.from(values) }),
    );
    const of = (fewest: number) =>
      describeFeatures(
        own.reduce((one, other) => mergeStatistics(one, other, fewest)),
        fewest,
      )[0];
    assert.deepEqual([of(1)?.least, of(1)?.most, of(1)?.clients, of(1)?.missing], [1, 9, 3, 2]);
    assert.deepEqual([of(2)?.least, of(2)?.most], [2, 8]);
    assert.deepEqual([of(3)?.least, of(3)?.most, of(3)?.mean], [3, 7, 5]);
    assert.equal(of(4), undefined);
  });

  it('are those of the rows that are named, of images by channel', () => {
    const array = arrayOf([
      [1, 10],
      [2, 20],
      [3, 30],
      [4, 40],
    ]);
    assert.deepEqual(numberStatistics(array, [1, 3]), numberStatistics(takeRows(array, [1, 3])));
    const images = { shape: [2, 8, 8, 3], values: Uint8Array.from({ length: 384 }, (_, at) => at % 3) };
    assert.deepEqual(
      describeFeatures(numberStatistics(images)).map((each) => [each?.mean, each?.values]),
      [
        [0, 128],
        [1, 128],
        [2, 128],
      ],
    );
  });
});

describe('the counts of categories', () => {
  it('are the same in any order and any grouping, with how many clients have each', () =>
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 8 }), {
          minLength: 1,
          maxLength: 6,
        }),
        anyChoices,
        (given, choices) => {
          const own = given.map(categoryStatistics);
          const merge = (one: CategoryStatistics, other: CategoryStatistics) => mergeStatistics(one, other);
          const merged = mergeAnyhow(own, merge, choices);
          assert.deepEqual([...merged.counts], [...own.reduce(merge).counts]);
          for (const [value, tally] of merged.counts) {
            assert.deepEqual(tally, {
              values: given.flat().filter((each) => each === value).length,
              clients: given.filter((each) => each.includes(value)).length,
            });
          }
        },
      ),
    ));
});

describe('a histogram', () => {
  const bins = { least: 0, most: 10, bins: 5 };
  const counted = (values: readonly number[], client: number) => {
    const own = createHistograms([bins], client);
    own.add(Float64Array.from(values));
    return own.told()[0] as Histogram;
  };
  const values = fc.array(
    fc.integer({ min: -20, max: 60 }).map((quarters) => quarters / 4),
    { minLength: 1, maxLength: 9 },
  );

  it('is the same in any order and any grouping, and counts every value in one bin', () =>
    fc.assert(
      fc.property(
        fc.array(values, { minLength: 1, maxLength: 6 }),
        anyChoices,
        fc.integer({ min: 1, max: 3 }),
        (given, choices, fewest) => {
          const own = given.map(counted);
          const merge = (one: Histogram, other: Histogram) => mergeHistograms(one, other, fewest);
          const merged = mergeAnyhow(own, merge, choices);
          assert.deepEqual(merged, own.reduce(merge));
          const told = publicHistogram(bins, merged, fewest);
          if (told === undefined) {
            assert.ok(given.length < fewest);
            return;
          }
          assert.equal(
            told.counts.reduce((sum, count) => sum + count, 0),
            given.flat().length,
          );
          assert.equal(told.edges.length, told.counts.length + 1);
          // As many clients as are asked for have values in each bin that is not empty.
          for (const [at, count] of told.counts.entries()) {
            const [from = 0, to = 0] = told.edges.slice(at);
            const isIn = (value: number): boolean =>
              (value >= from || at === 0) && (value < to || at === told.counts.length - 1);
            assert.equal(given.flat().filter(isIn).length, count);
            assert.ok(count === 0 || given.filter((each) => each.some(isIn)).length >= fewest);
          }
        },
      ),
    ));

  it('gives quantiles to within a bin', () => {
    const all = Array.from({ length: 1000 }, (_, at) => at / 100);
    const histogram = publicHistogram(bins, counted(all, 0));
    assert.ok(histogram !== undefined);
    for (const share of [0, 0.25, 0.5, 0.95, 1])
      assert.ok(Math.abs(quantileOf(histogram, share) - share * 10) < 0.01, `${share}`);
  });
});
