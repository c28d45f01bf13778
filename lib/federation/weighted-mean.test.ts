import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Weights } from '../core/weights.js';
import { sumGroups, sumUpdates } from './strategies/server-step.js';
import type { WeightedUpdate } from './strategies/strategy.js';
import { strategyNamed } from './strategies/strategy-named.js';
import type { StrategySettings } from './strategies/strategy-settings.js';
import { createWeightedMean, rounded, type WeightedSums } from './weighted-mean.js';

const model = (...values: number[]): Weights => [
  { name: 'dense/kernel:0', shape: [values.length], values: Float32Array.from(values) },
];
// Sums begin with +0, so the sign of a zero is lost; weights of all sizes, down to the smallest float32.
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

  it('is the same for any order', () =>
    fc.assert(
      fc.asyncProperty(anyUpdates, async (updates) => {
        assert.deepEqual(await fedAvg([...updates].reverse()), await fedAvg(updates));
      }),
    ));

  const averaging: readonly StrategySettings[] = [
    { name: 'fedavg' },
    { name: 'fedavgm', serverLearningRate: 0.5, serverMomentum: 0.9 },
    { name: 'fedadagrad', serverLearningRate: 0.1, beta1: 0, tau: 1e-3 },
    { name: 'fedyogi', serverLearningRate: 0.01, beta1: 0.9, beta2: 0.99, tau: 1e-3 },
  ];
  for (const settings of averaging) {
    it(`gives ${settings.name} the same state by groups, and by groups of groups`, () =>
      fc.assert(
        fc.asyncProperty(
          anyUpdates.chain((updates) =>
            fc
              .array(fc.nat({ max: 3 }), { minLength: updates.length, maxLength: updates.length })
              .map((places) => {
                const groups: WeightedUpdate[][] = [[], [], [], []];
                for (const [at, place] of places.entries())
                  groups[place]?.push(updates[at] as WeightedUpdate);
                return { updates, groups: groups.reverse() };
              }),
          ),
          async ({ updates, groups }) => {
            const strategy = strategyNamed(settings);
            const state = { round: 3, weights: model(1, -1, 0.5, 0, 2) };
            const sums = (await Promise.all(groups.map((each) => sumUpdates(each)))).filter(
              (each) => each !== null,
            );
            const expected = await strategy.aggregate(state, updates);
            assert.deepEqual(await strategy.aggregateGroups?.(state, sums), expected);
            const outer = [await sumGroups(sums.slice(0, 2)), await sumGroups(sums.slice(2))];
            const all = await sumUpdates(updates);
            assert.deepEqual(
              await sumGroups(outer.filter((each): each is WeightedSums => each !== null)),
              all,
            );
          },
        ),
        { numRuns: 40 },
      ));
  }

  it('of nothing is the state as it was', async () => assert.deepEqual(await fedAvg([]), []));
});
