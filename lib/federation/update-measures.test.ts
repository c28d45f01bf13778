/** Norm and cosine of updates: as written down, and, of more updates than memory holds, about that. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { randomStream } from '../core/random.js';
import type { Weights } from '../core/weights.js';
import type { WeightedUpdate } from './strategies/strategy.js';
import { createUpdateMeter, type UpdateMeasure } from './update-measures.js';

const model = (...values: readonly number[]): Weights => [
  { name: 'dense/kernel:0', shape: [values.length - 1], values: Float32Array.from(values.slice(0, -1)) },
  { name: 'dense/bias:0', shape: [1], values: Float32Array.from(values.slice(-1)) },
];

async function measured(
  global: Weights,
  updates: readonly WeightedUpdate[],
  maxKept?: number,
): Promise<readonly UpdateMeasure[]> {
  const meter = createUpdateMeter(global, { most: updates.length, ...(maxKept ? { maxKept } : {}) });
  const passed: WeightedUpdate[] = [];
  for await (const update of meter.pass(updates)) passed.push(update);
  assert.deepEqual(passed, updates, 'updates pass as they are');
  return meter.found();
}

/** The same in plain numbers, all updates at once. */
function byDefinition(global: Weights, updates: readonly WeightedUpdate[]): readonly (readonly number[])[] {
  const flat = (weights: Weights) => weights.flatMap(({ values }) => [...values]);
  const origin = flat(global);
  const changes = updates.map(({ weights }) => flat(weights).map((value, at) => value - (origin[at] ?? 0)));
  const mean = origin.map((_, at) =>
    changes.reduce((sum, change, index) => sum + (updates[index]?.examples ?? 0) * (change[at] ?? 0), 0),
  );
  const inner = (a: readonly number[], b: readonly number[]) =>
    a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);
  const norm = (a: readonly number[]) => Math.sqrt(inner(a, a));
  return changes.map((change) => [norm(change), inner(change, mean) / (norm(change) * norm(mean))]);
}

test('norm and cosine are those of the definition, weighted by examples', async () => {
  const global = model(1, 1, 1);
  const updates = [
    { client: 4, examples: 3, weights: model(4, 5, 1) },
    { client: 7, examples: 1, weights: model(1, 1, 3) },
    { client: 9, examples: 2, weights: model(1, 1, 1) },
    { examples: 1, weights: model(1, 1, 1) },
  ];
  // The sum of the differences is (9, 12, 2), of norm √229.
  assert.deepEqual(await measured(global, updates), [
    { client: 4, norm: 5, cosine: 0.9912 },
    { client: 7, norm: 2, cosine: 0.1322 },
    { client: 9, norm: 0 },
  ]);
});

test('any updates: as the definition says', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 4, maxLength: 4 }), {
        minLength: 1,
        maxLength: 5,
      }),
      async (rows) => {
        const global = model(1, -2, 3, 0);
        const updates = rows.map((row, client) => ({ client, examples: client + 1, weights: model(...row) }));
        const found = await measured(global, updates);
        for (const [at, [norm = 0, cosine = 0]] of byDefinition(global, updates).entries()) {
          assert.ok(Math.abs((found[at]?.norm ?? Number.NaN) - norm) <= 1e-5 * norm);
          if (Number.isNaN(cosine)) assert.equal(found[at]?.cosine, undefined);
          else assert.ok(Math.abs((found[at]?.cosine ?? Number.NaN) - cosine) <= 6e-5);
        }
      },
    ),
  ));

test('many numbers, kept as whole ones: the cosine is right to its last digit but one, whatever they are', () =>
  fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 2 ** 31 - 1 }),
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1024, max: 3000 }),
      async (seed, power, size) => {
        const random = randomStream(seed, 'measures');
        // Most are small beside the largest, the more so the higher the power.
        const numbers = () =>
          Array.from({ length: size }, () => (2 * random.uniform() - 1) ** (2 * power - 1));
        const common = numbers();
        const global = model(...numbers());
        const updates = [0.1, 1, 10].map((own, client) => {
          const rest = numbers();
          const values = common.map((value, at) => value + own * (rest[at] ?? 0));
          return { client, examples: client + 1, weights: model(...values) };
        });
        const found = await measured(global, updates);
        for (const [at, [norm = 0, cosine = 0]] of byDefinition(global, updates).entries()) {
          assert.ok(Math.abs((found[at]?.norm ?? Number.NaN) - norm) <= 1e-5 * norm);
          assert.ok(Math.abs((found[at]?.cosine ?? Number.NaN) - cosine) <= 1e-4, `${cosine}`);
        }
      },
    ),
    { numRuns: 25 },
  ));

test('an update that comes in parts is measured as in one', () =>
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 100 }),
      fc.boolean(),
      (lengths, isSketch) => {
        const size = 4000;
        const random = randomStream(lengths.length, 'measures');
        const numbers = () => Float32Array.from({ length: size }, () => random.uniform() - 0.5);
        const [values, origin] = [numbers(), numbers()];
        const global = [{ name: 'dense/kernel:0', shape: [size], values: origin }];
        const meter = createUpdateMeter(global, { most: 1, maxKept: isSketch ? 1500 : size });
        const [whole, parts] = [meter.begin(), meter.begin()];
        whole.add(values, origin);
        let from = 0;
        for (const length of [...lengths, size]) {
          const to = Math.min(size, from + length);
          parts.add(values.subarray(from, to), origin.subarray(from, to));
          from = to;
        }
        assert.deepEqual(parts.end(), whole.end());
      },
    ),
  ));

test('of more than memory holds, a sketch tells the cosine; of far more, nothing does, and the norm stays', async () => {
  const size = 40_000;
  const random = randomStream(1, 'measures');
  const noise = () => Array.from({ length: size }, () => random.uniform() - 0.5);
  const common = noise();
  const global = model(...noise());
  const updates = [0.2, 1, 3].map((own, client) => {
    const rest = noise();
    const values = common.map((value, at) => value + own * (rest[at] ?? 0));
    return { client, examples: 1, weights: model(...values) };
  });
  const exact = await measured(global, updates);
  const sketched = await measured(global, updates, 3 * 5000);
  for (const [at, { client, norm, cosine = 0 }] of exact.entries()) {
    assert.deepEqual([sketched[at]?.client, sketched[at]?.norm], [client, norm]);
    assert.ok(Math.abs((sketched[at]?.cosine ?? Number.NaN) - cosine) < 0.05, `${cosine}`);
  }
  const bare = await measured(global, updates, 3 * 1000);
  assert.deepEqual(
    bare,
    exact.map(({ client, norm }) => ({ client, norm })),
  );
});
