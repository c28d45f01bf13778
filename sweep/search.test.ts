/** Which configurations a sweep tries: all of a grid once, drawn ones repeatably, Sobol's evenly. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { randomStream } from '../lib/core/random.js';
import { parseAxis } from './axes.js';
import { configurationsOf, type Search, seedsOf } from './search.js';
import { sobolPoints } from './sobol.js';

const axesOf = (...texts: readonly string[]) => texts.map(parseAxis);
const found = (texts: readonly string[], search: Search, seed = 0) =>
  configurationsOf(axesOf(...texts), { search, seed });

test('a grid holds each combination once, the first axis slowest; the seed is none of its axes', () => {
  const texts = ['learning-rate=0.1,0.01', 'seed=0,1,2', 'epochs=1,2'];
  assert.deepEqual(found(texts, { kind: 'grid' }), [
    { 'training.learningRate': 0.1, 'training.epochs': 1 },
    { 'training.learningRate': 0.1, 'training.epochs': 2 },
    { 'training.learningRate': 0.01, 'training.epochs': 1 },
    { 'training.learningRate': 0.01, 'training.epochs': 2 },
  ]);
  assert.deepEqual(seedsOf(axesOf(...texts)), [0, 1, 2]);
  assert.equal(seedsOf(axesOf('epochs=1')), undefined);
});

test('so many are drawn, each once, the same for the same seed', () => {
  const texts = ['learning-rate=log:1e-4..1e-1', 'epochs=1,2,3', 'momentum=0..0.9'];
  for (const kind of ['random', 'sobol'] as const) {
    const drawn = found(texts, { kind, count: 20 }, 7);
    assert.equal(new Set(drawn.map((each) => JSON.stringify(each))).size, 20);
    assert.deepEqual(drawn, found(texts, { kind, count: 20 }, 7));
    assert.notDeepEqual(drawn, found(texts, { kind, count: 20 }, 8));
    // More of them begin with the same.
    assert.deepEqual(found(texts, { kind, count: 30 }, 7).slice(0, 20), drawn);
    assert.equal(found(['epochs=1,2', 'batch=10,20'], { kind, count: 4 }).length, 4);
  }
});

test('ranges without a number of draws, and more than there is, are refused', () => {
  const refused = (texts: readonly string[], search: Search, message: RegExp) =>
    assert.throws(() => found(texts, search), message);
  refused(
    ['learning-rate=0..1'],
    { kind: 'grid' },
    /^UsageError: learning-rate is a range: say with --random or --sobol/,
  );
  refused(
    ['seed=0..9'],
    { kind: 'random', count: 2 },
    /^UsageError: seed: every configuration is run with each seed/,
  );
  refused(
    ['epochs=1,2'],
    { kind: 'random', count: 3 },
    /^UsageError: --random 3 are more than the 2 combinations/,
  );
  refused(
    ['fraction=0.1..1', 'seed=1,2'],
    { kind: 'random', count: 5001 },
    /^UsageError: These are 10002 trials: at most 10000/,
  );
  const many = Array.from(
    { length: 18 },
    (_, at) => parseAxis('momentum=0..1') && { ...parseAxis('momentum=0..1'), name: `m${at}` },
  );
  assert.throws(
    () => configurationsOf(many, { search: { kind: 'sobol', count: 2 }, seed: 0 }),
    /--sobol takes 17 axes at most, found 18/,
  );
});

test("Sobol's points are those of Joe and Kuo's direction numbers", () => {
  const take = (count: number, dimensions: number) => {
    const points = sobolPoints(dimensions);
    return Array.from({ length: count }, () => points.next().value);
  };
  assert.deepEqual(take(8, 3), [
    [0, 0, 0],
    [0.5, 0.5, 0.5],
    [0.75, 0.25, 0.25],
    [0.25, 0.75, 0.75],
    [0.375, 0.375, 0.625],
    [0.875, 0.875, 0.125],
    [0.625, 0.125, 0.875],
    [0.125, 0.625, 0.375],
  ]);
});

test('of the first 2^k points each dyadic interval of each axis has one, shifted or not', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 17 }),
      fc.integer({ min: 0, max: 8 }),
      fc.nat(),
      (dimensions, k, seed) => {
        const count = 2 ** k;
        for (const shift of [undefined, randomStream(seed, 'shift')]) {
          const points = sobolPoints(dimensions, shift);
          const drawn = Array.from({ length: count }, () => points.next().value);
          for (let axis = 0; axis < dimensions; axis++) {
            const cells = new Set(drawn.map((point) => Math.floor((point[axis] as number) * count)));
            assert.equal(cells.size, count, `axis ${axis} of ${count} points`);
          }
        }
      },
    ),
    { numRuns: 30 },
  );
});

test('the first two axes fill every dyadic rectangle alike: a (0, k, 2) net', () => {
  const points = sobolPoints(2, randomStream(3, 'shift'));
  const drawn = Array.from({ length: 64 }, () => points.next().value as readonly [number, number]);
  for (let wide = 0; wide <= 6; wide++) {
    const [columns, rows] = [2 ** wide, 2 ** (6 - wide)];
    const cells = new Set(drawn.map(([x, y]) => `${Math.floor(x * columns)}/${Math.floor(y * rows)}`));
    assert.equal(cells.size, 64, `${columns} × ${rows}`);
  }
});
