import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { WeightedUpdate } from './strategies/strategy.js';
import { strategyNamed } from './strategies/strategy-named.js';
import { createWeightedMean, rounded } from './weighted-mean.js';
import type { Weights } from './weights.js';

const model = (...values: number[]): Weights => [
  { name: 'dense/kernel:0', shape: [values.length], values: Float32Array.from(values) },
];
// Sums begin with +0, so the sign of a zero is lost.
const finite = fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
/** What FedAvg makes of `updates`, whatever the global model was. */
const fedAvg = async (updates: readonly WeightedUpdate[]) =>
  (await strategyNamed({ name: 'fedavg' }).aggregate({ round: 1, weights: [] }, updates)).weights;
const size = 5;
const anyModel = fc.array(finite, { minLength: size, maxLength: size }).map((values) => model(...values));
const examples = fc.integer({ min: 1, max: 100_000 });
const anyUpdates = fc.array(fc.record({ weights: anyModel, examples }), { minLength: 1, maxLength: 20 });

describe('the weighted mean', () => {
  it('weighs by examples', async () => {
    const mean = await fedAvg([
      { weights: model(1, -4, 0.5), examples: 3 },
      { weights: model(5, 4, 0.5), examples: 1 },
    ]);
    assert.deepEqual(mean, model(2, -2, 0.5));
  });

  it('of equal models is exactly that model, whatever the weights', () =>
    fc.assert(
      fc.asyncProperty(
        anyModel,
        fc.array(examples, { minLength: 1, maxLength: 50 }),
        async (weights, counts) => {
          assert.deepEqual(await fedAvg(counts.map((count) => ({ weights, examples: count }))), weights);
        },
      ),
    ));

  it('of one model is exactly that model', () =>
    fc.assert(
      fc.asyncProperty(anyModel, examples, async (weights, count) => {
        assert.deepEqual(await fedAvg([{ weights, examples: count }]), weights);
      }),
    ));

  it('lies between the smallest and the largest value, and within a rounding of the definition', () =>
    fc.assert(
      fc.asyncProperty(anyUpdates, async (updates) => {
        const mean = await fedAvg(updates);
        const total = updates.reduce((sum, each) => sum + each.examples, 0);
        for (let at = 0; at < size; at++) {
          const column = updates.map(({ weights }) => weights[0]?.values[at] as number);
          const value = mean[0]?.values[at] as number;
          assert.ok(value >= Math.min(...column) && value <= Math.max(...column));
          const exact = updates.reduce(
            (sum, each, index) => sum + (each.examples / total) * (column[index] as number),
            0,
          );
          const scale = Math.max(...column.map(Math.abs));
          assert.ok(Math.abs(value - exact) <= scale * 2 ** -23 + 2 ** -149, `${value} is not ${exact}`);
        }
      }),
    ));

  it('is the same for scaled weights', () =>
    fc.assert(
      fc.asyncProperty(anyUpdates, fc.constantFrom(2, 4, 8), async (updates, factor) => {
        const scaled = updates.map((each) => ({ ...each, examples: each.examples * factor }));
        assert.deepEqual(await fedAvg(scaled), await fedAvg(updates));
      }),
    ));

  it('does not change what was added', () => {
    const weights = model(1, 2);
    const mean = createWeightedMean(weights);
    mean.add(weights, 3);
    mean.add(model(5, 6), 1);
    mean.value()[0]?.values.fill(0);
    assert.deepEqual(weights, model(1, 2));
    assert.deepEqual(rounded(mean.value()), model(2, 3));
  });

  it('of nothing is the state as it was', async () => assert.deepEqual(await fedAvg([]), []));
});
