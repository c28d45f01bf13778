/** SCAFFOLD: rounds of it beside the paper's algorithm in plain float64 loops, and its laws. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { permutation, randomStream } from '../../core/random.js';
import type { WeightArray, Weights } from '../../core/weights.js';
import { type ClientMemory, gradientCorrection, trainableOf } from '../client-side.js';
import { scaffold } from './scaffold.js';
import { rememberCounted } from './server-step.js';
import type { ServerState, WeightedUpdate } from './strategy.js';
import { strategyNamed } from './strategy-named.js';

const side = scaffold.client as NonNullable<typeof scaffold.client>;
const SIZE = 3;
/** The moving statistics stand first, so that trainable arrays have other places than the model's. */
const model = (values: readonly number[], statistic = 0): Weights => [
  { name: 'norm/moving_mean:0', shape: [1], values: Float32Array.of(statistic) },
  { name: 'dense/kernel:0', shape: [values.length], values: Float32Array.from(values) },
];
const kernel = (weights: Weights) => [...(weights.at(-1) as WeightArray).values];

/** A client's loss ½ Σ h·(w − o)²: its gradient is h·(w − o), and never asks for randomness. */
interface Client {
  readonly curvature: readonly number[];
  readonly optimum: readonly number[];
  readonly examples: number;
  readonly steps: number;
}
const gradient = ({ curvature, optimum }: Client, weights: readonly number[]) =>
  weights.map((weight, at) => (curvature[at] as number) * (weight - (optimum[at] as number)));

/** Algorithm 1, option II, by the paper's lines, in float64. */
function byThePaper(
  clients: readonly Client[],
  rounds: readonly (readonly number[])[],
  eta: number,
  etaG: number,
) {
  let x = Array<number>(SIZE).fill(0.5);
  let c = Array<number>(SIZE).fill(0);
  const own = clients.map(() => Array<number>(SIZE).fill(0));
  const all = clients.reduce((sum, { examples }) => sum + examples, 0);
  for (const selected of rounds) {
    const present = selected.reduce((sum, i) => sum + (clients[i] as Client).examples, 0);
    const [nextX, nextC] = [[...x], [...c]];
    for (const i of selected) {
      const client = clients[i] as Client;
      const ci = own[i] as number[];
      let y = [...x];
      for (let step = 0; step < client.steps; step++) {
        const g = gradient(client, y);
        y = y.map((value, at) => value - eta * ((g[at] as number) - (ci[at] as number) + (c[at] as number)));
      }
      const plus = ci.map(
        (value, at) =>
          value - (c[at] as number) + ((x[at] as number) - (y[at] as number)) / (client.steps * eta),
      );
      for (let at = 0; at < SIZE; at++) {
        nextX[at] =
          (nextX[at] as number) +
          (etaG * client.examples * ((y[at] as number) - (x[at] as number))) / present;
        nextC[at] =
          (nextC[at] as number) + (client.examples * ((plus[at] as number) - (ci[at] as number))) / all;
      }
      own[i] = plus;
    }
    [x, c] = [nextX, nextC];
  }
  return { x, c, own };
}

/** The same by the module: what trainer and aggregator do with it. */
async function byTheModule(
  clients: readonly Client[],
  rounds: readonly (readonly number[])[],
  eta: number,
  etaG: number,
) {
  const allExamples = clients.reduce((sum, { examples }) => sum + examples, 0);
  const strategy = strategyNamed({ name: 'scaffold', serverLearningRate: etaG }, { seed: 0, allExamples });
  let state: ServerState = { round: 1, weights: model(Array(SIZE).fill(0.5)) };
  const kept = new Map<number, Weights>();
  for (const selected of rounds) {
    const updates = selected.map((i): WeightedUpdate => {
      const client = clients[i] as Client;
      const control = kept.get(i);
      const memory: ClientMemory = {
        global: trainableOf(state.weights),
        server: state.slots,
        ...(control === undefined ? {} : { kept: { control } }),
      };
      const correction = gradientCorrection(side, { like: state.weights, memory }) as Weights;
      assert.deepEqual(kernel([correction[0] as WeightArray]), [0], 'no gradient moves a statistic');
      let y = kernel(state.weights);
      for (let step = 0; step < client.steps; step++) {
        const g = gradient(client, y);
        y = y.map((value, at) => value - eta * ((g[at] as number) + (kernel(correction)[at] as number)));
      }
      const weights = model(y, i);
      const optimizer = { kind: 'sgd', learningRate: eta, momentum: 0 };
      const local = { steps: client.steps, loss: 0, weights: trainableOf(weights) };
      const told = { optimizer, proximal: 0, memory, ...local };
      const { control: next, controlChange } = side.report(told);
      kept.set(i, next as Weights);
      return { weights, examples: client.examples, extras: { controlChange: controlChange as Weights } };
    });
    state = await strategy.aggregate(state, updates);
  }
  return { x: kernel(state.weights), c: kernel(state.slots?.c as Weights), own: kept, state };
}

const number = (min: number, max: number) => fc.double({ min, max, noNaN: true });
const vector = (min: number, max: number) => fc.array(number(min, max), { minLength: SIZE, maxLength: SIZE });
const anyClient = fc.record({
  curvature: vector(0.1, 2),
  optimum: vector(-3, 3),
  examples: fc.integer({ min: 1, max: 500 }),
  steps: fc.integer({ min: 1, max: 12 }),
});
const fourClients = fc.array(anyClient, { minLength: 4, maxLength: 4 });
const close = (found: readonly number[], expected: readonly number[], tolerance: number) => {
  assert.equal(found.length, expected.length);
  for (const [at, each] of found.entries())
    assert.ok(Math.abs(each - (expected[at] as number)) <= tolerance, `${found} is not ${expected}`);
};

describe('SCAFFOLD', () => {
  it('is algorithm 1 with option II over rounds, some of which a client misses', () =>
    fc.assert(
      fc.asyncProperty(
        fourClients,
        fc.array(fc.subarray([0, 1, 2, 3], { minLength: 1 }), { minLength: 1, maxLength: 5 }),
        number(0.05, 0.3),
        number(0.5, 1),
        async (clients, rounds, eta, etaG) => {
          const expected = byThePaper(clients, rounds, eta, etaG);
          const found = await byTheModule(clients, rounds, eta, etaG);
          // float32 is what models and variates are kept in; option II divides its rounding by K·η.
          close(found.x, expected.x, 1e-4);
          close(found.c, expected.c, 1e-4);
          for (const [i, control] of found.own) close(kernel(control), expected.own[i] as number[], 2e-4);
        },
      ),
      { numRuns: 60 },
    ));

  it('keeps the server’s variate at the mean of all clients’, weighted by examples', () =>
    fc.assert(
      fc.asyncProperty(fourClients, async (clients) => {
        const { c, own } = await byTheModule(clients, [[0, 2], [1], [0, 1, 3], [2]], 0.1, 1);
        const all = clients.reduce((sum, { examples }) => sum + examples, 0);
        const mean = c.map((_, at) =>
          clients.reduce(
            (sum, { examples }, i) => sum + (examples * (kernel(own.get(i) as Weights)[at] as number)) / all,
            0,
          ),
        );
        close(c, mean, 1e-5);
      }),
      { numRuns: 30 },
    ));

  it('takes FedAvg’s step in a first round, where all variates are 0', () =>
    fc.assert(
      fc.asyncProperty(fourClients, number(0.05, 0.3), async (clients, eta) => {
        const { state } = await byTheModule(clients, [[0, 1, 3]], eta, 1);
        const updates = [0, 1, 3].map((i) => {
          const client = clients[i] as Client;
          let y = Array<number>(SIZE).fill(0.5);
          for (let step = 0; step < client.steps; step++) {
            const g = gradient(client, y);
            y = y.map((value, at) => value - eta * (g[at] as number));
          }
          return { weights: model(y, i), examples: client.examples };
        });
        const average = await strategyNamed({ name: 'fedavg' }).aggregate({ round: 1, weights: [] }, updates);
        for (const [index, { values }] of state.weights.entries())
          close([...values], [...(average.weights[index] as WeightArray).values], 1e-6);
      }),
      { numRuns: 40 },
    ));

  it('finds the optimum of clients that differ, where FedAvg stops beside it', async () => {
    const clients: readonly Client[] = [
      { curvature: [2, 2, 2], optimum: [1, 1, 1], examples: 10, steps: 10 },
      { curvature: [0.2, 0.2, 0.2], optimum: [-1, -1, -1], examples: 10, steps: 10 },
    ];
    const optimum = (2 - 0.2) / 2.2;
    const rounds = Array.from({ length: 80 }, () => [0, 1]);
    const { x } = await byTheModule(clients, rounds, 0.1, 1);
    close(x, [optimum, optimum, optimum], 1e-3);
    let average = [0.5];
    for (const _ of rounds) {
      const ends = clients.map((client) => {
        let y = average;
        for (let step = 0; step < client.steps; step++)
          y = y.map((value) => value - 0.1 * (gradient(client, [value])[0] as number));
        return y[0] as number;
      });
      average = [((ends[0] as number) + (ends[1] as number)) / 2];
    }
    assert.ok(Math.abs((average[0] as number) - optimum) > 0.1, `FedAvg ended at ${average[0]}`);
  });

  it('gives the same bytes for any order of the updates', async () => {
    const random = randomStream(5, 'scaffold');
    const wild = () => Array.from({ length: SIZE }, () => random.normal() * 2 ** random.integer(-30, 30));
    const updates = Array.from({ length: 8 }, (): WeightedUpdate => {
      const controlChange = trainableOf(model(wild()));
      return {
        weights: model(wild(), random.normal()),
        examples: random.integer(1, 50),
        extras: { controlChange },
      };
    });
    const strategy = strategyNamed(
      { name: 'scaffold', serverLearningRate: 0.7 },
      { seed: 0, allExamples: 1234 },
    );
    const state: ServerState = {
      round: 2,
      weights: model([1, 2, 3]),
      slots: { c: trainableOf(model([0.1, -4, 5])) },
    };
    const expected = await strategy.aggregate(state, updates);
    for (let turn = 0; turn < 10; turn++) {
      const shuffled = [...permutation(updates.length, random)].map((at) => updates[at] as WeightedUpdate);
      assert.deepEqual(await strategy.aggregate(state, shuffled), expected);
    }
  });

  it('remembers the last round of each client whose update counted', () => {
    const strategy = strategyNamed({ name: 'scaffold', serverLearningRate: 1 }, { seed: 0, allExamples: 1 });
    const next = { round: 4, weights: [], lastRounds: { 1: 2, 7: 1 } };
    assert.deepEqual(rememberCounted(strategy, { next, round: 3, counted: [7, 3] }).lastRounds, {
      1: 2,
      3: 3,
      7: 3,
    });
    const average = strategyNamed({ name: 'fedavg' });
    assert.equal(rememberCounted(average, { next, round: 3, counted: [7] }), next);
  });

  it('goes with plain SGD alone', () => {
    const problem = (kind: string, momentum: number, proximal: number) =>
      side.problem({ optimizer: { kind, learningRate: 0.1, momentum }, proximal })?.[0];
    assert.equal(problem('sgd', 0, 0), undefined);
    assert.deepEqual(
      [problem('adam', 0, 0), problem('sgd', 0.9, 0), problem('sgd', 0, 0.1)],
      ['optimizer', 'momentum', 'proximal'],
    );
  });
});
