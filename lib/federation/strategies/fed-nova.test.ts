/** FedNova: its laws, and the paper's equations computed step by step beside it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { permutation, type RandomStream, randomStream } from '../../core/random.js';
import type { WeightArray, Weights } from '../../core/weights.js';
import { fedNova } from './fed-nova.js';
import { sumUpdates } from './server-step.js';
import type { WeightedUpdate } from './strategy.js';
import { strategyNamed } from './strategy-named.js';

const NOVA = strategyNamed({ name: 'fednova' });
const model = (values: readonly number[], statistic = 0): Weights => [
  { name: 'dense/kernel:0', shape: [values.length], values: Float32Array.from(values) },
  { name: 'norm/moving_mean:0', shape: [1], values: Float32Array.of(statistic) },
];
const valuesOf = (weights: Weights, array = 0) => [...(weights[array] as WeightArray).values];
const effectiveSteps = (steps: number, learningRate: number, momentum = 0, proximal = 0) => {
  const optimizer = { kind: 'sgd', learningRate, momentum };
  const nowhere = { memory: { global: [] }, weights: [], loss: 0 };
  return fedNova.client?.report({ optimizer, proximal, steps, ...nowhere }).effectiveSteps as number;
};
const close = (found: number, expected: number, tolerance: number) =>
  assert.ok(
    Math.abs(found - expected) <= tolerance * Math.max(1, Math.abs(expected)),
    `${found}, not ${expected}`,
  );

describe('the norm of a client’s accumulation vector', () => {
  const rates = fc.double({ min: 1e-4, max: 1, noNaN: true });
  const steps = fc.integer({ min: 1, max: 300 });

  it('is that of the paper for plain SGD, for momentum and for the proximal term', () =>
    fc.assert(
      fc.property(steps, rates, fc.double({ min: 0.01, max: 0.99, noNaN: true }), (tau, eta, share) => {
        assert.equal(effectiveSteps(tau, eta), tau);
        const rho = share;
        close(effectiveSteps(tau, eta, rho), (tau - (rho * (1 - rho ** tau)) / (1 - rho)) / (1 - rho), 1e-9);
        const mu = share / eta;
        close(effectiveSteps(tau, eta, 0, mu), (1 - (1 - share) ** tau) / share, 1e-9);
      }),
    ));

  it('is how far gradients of 1 lead an optimizer with both, in learning rates', () =>
    fc.assert(
      fc.property(steps, rates, fc.double({ min: 0, max: 0.9, noNaN: true }), (tau, eta, rho) => {
        const mu = ((1 - Math.sqrt(rho)) ** 2 / eta) * 0.9;
        let [weight, velocity] = [5, 0];
        for (let step = 0; step < tau; step++) {
          velocity = rho * velocity - eta * (1 + mu * (weight - 5));
          weight += velocity;
        }
        close(effectiveSteps(tau, eta, rho, mu), (5 - weight) / eta, 1e-8);
      }),
    ));
});

describe('FedNova', () => {
  const value = fc.float({ noNaN: true, min: -100, max: 100 }).map((number) => number + 0);
  const anyModel = fc
    .tuple(fc.array(value, { minLength: 3, maxLength: 3 }), value)
    .map(([values, s]) => model(values, s));
  const anyUpdate = fc.record({
    weights: anyModel,
    examples: fc.integer({ min: 1, max: 1000 }),
    extras: fc.record({ effectiveSteps: fc.double({ min: 1, max: 1000, noNaN: true }) }),
  });
  const anyUpdates = fc.array(anyUpdate, { minLength: 1, maxLength: 8 });

  it('is w + τ_eff · Σ p_i · Δ_i/‖a_i‖₁, and the mean of moving statistics', () =>
    fc.assert(
      fc.asyncProperty(anyModel, anyUpdates, async (global, updates) => {
        const total = updates.reduce((sum, { examples }) => sum + examples, 0);
        const shares = updates.map(({ examples }) => examples / total);
        const norms = updates.map(({ extras }) => extras.effectiveSteps);
        const effective = norms.reduce((sum, norm, i) => sum + (shares[i] as number) * norm, 0);
        const { weights, round } = await NOVA.aggregate({ round: 4, weights: global }, updates);
        for (const [at, found] of valuesOf(weights).entries()) {
          const from = valuesOf(global)[at] as number;
          const step = updates.reduce(
            (sum, update, i) =>
              sum +
              ((shares[i] as number) * ((valuesOf(update.weights)[at] as number) - from)) /
                (norms[i] as number),
            0,
          );
          // As float32 keeps it, at the scale of what goes in.
          close(found, from + effective * step, 1e-4);
        }
        const statistic = updates.reduce(
          (sum, { weights: w }, i) => sum + (shares[i] as number) * (valuesOf(w, 1)[0] as number),
          0,
        );
        close(valuesOf(weights, 1)[0] as number, statistic, 1e-6);
        assert.equal(round, 5);
      }),
    ));

  it('is FedAvg where all have gone equally far', () =>
    fc.assert(
      fc.asyncProperty(
        anyModel,
        anyUpdates,
        fc.double({ min: 1, max: 500, noNaN: true }),
        async (global, updates, norm) => {
          const equal = updates.map((update) => ({ ...update, extras: { effectiveSteps: norm } }));
          const state = { round: 1, weights: global };
          const nova = await NOVA.aggregate(state, equal);
          const average = await strategyNamed({ name: 'fedavg' }).aggregate(state, updates);
          for (const array of [0, 1]) {
            for (const [at, found] of valuesOf(nova.weights, array).entries())
              assert.ok(
                Math.abs(found - (valuesOf(average.weights, array)[at] as number)) <= 100 * 2 ** -23,
                `${found}`,
              );
          }
        },
      ),
    ));

  it('gives the same bytes for any order and any grouping', async () => {
    const random = randomStream(4, 'fednova');
    // Numbers of very different sizes: sums of float64 would depend on their order.
    const wild = (stream: RandomStream) =>
      Array.from({ length: 3 }, () => stream.normal() * 2 ** stream.integer(-30, 30));
    const updates: readonly WeightedUpdate[] = Array.from({ length: 9 }, () => ({
      weights: model(wild(random), random.normal()),
      examples: random.integer(1, 100),
      extras: { effectiveSteps: 1 + 50 * random.uniform() },
    }));
    const state = { round: 1, weights: model([0.5, -1, 2], 1) };
    const expected = await NOVA.aggregate(state, updates);
    for (let turn = 0; turn < 20; turn++) {
      const shuffled = [...permutation(updates.length, random)].map((at) => updates[at] as WeightedUpdate);
      assert.deepEqual(await NOVA.aggregate(state, shuffled), expected);
      const cut = random.integer(1, 8);
      const groups = await Promise.all(
        [shuffled.slice(0, cut), shuffled.slice(cut)].map((each) => sumUpdates(each, NOVA.terms)),
      );
      assert.deepEqual(
        await NOVA.aggregateGroups?.(
          state,
          groups.filter((each) => each !== null),
        ),
        expected,
      );
    }
  });

  it('goes with SGD, as long as no gradient counts negatively', () => {
    const problem = (kind: string, momentum: number, proximal: number) =>
      fedNova.client?.problem({ optimizer: { kind, learningRate: 0.1, momentum }, proximal });
    assert.equal(problem('sgd', 0.9, 0), undefined);
    assert.equal(problem('sgd', 0, 10), undefined);
    assert.deepEqual(problem('sgd', 0, 10.1), [
      'proximal',
      'with learning rate 0.1 and momentum 0 it takes at most 10',
    ]);
    assert.equal(problem('sgd', 0.25, 2.6)?.[0], 'proximal');
    assert.equal(problem('adam', 0, 0)?.[0], 'optimizer');
  });
});
