/** Strategies: their laws, values worked out by hand, and Flower's results for the same updates. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ThresholdError, UsageError } from '../../core/errors.js';
import { permutation, randomStream } from '../../core/random.js';
import { sizeOf, type WeightArray, type Weights } from '../../core/weights.js';
import { clipNorm, distance } from './clip-norm.js';
import { holdUpdates } from './held-updates.js';
import type { ServerState, WeightedUpdate } from './strategy.js';
import { strategyNamed } from './strategy-named.js';
import { fewestUpdates, type StrategySettings } from './strategy-settings.js';

const SIZE = 4;
const model = (...values: number[]): Weights => [
  { name: 'dense/kernel:0', shape: [values.length], values: Float32Array.from(values) },
];
const valuesOf = (weights: Weights) => [...(weights[0] as WeightArray).values];
const start = (weights: Weights): ServerState => ({ round: 1, weights });
const run = async (settings: StrategySettings, global: Weights, updates: readonly WeightedUpdate[]) =>
  (await strategyNamed(settings).aggregate(start(global), updates)).weights;

const value = fc.float({ noNaN: true, min: -1000, max: 1000 }).map((number) => number + 0);
const anyModel = fc.array(value, { minLength: SIZE, maxLength: SIZE }).map((values) => model(...values));
const anyUpdate = fc.record({ weights: anyModel, examples: fc.integer({ min: 1, max: 10_000 }) });
const anyUpdates = fc.array(anyUpdate, { minLength: 1, maxLength: 12 });
/** What a client that is broken or hostile may send: any finite number. */
const wildModel = fc
  .array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: SIZE, maxLength: SIZE })
  .map((values) => model(...values));

const ADAM = { serverLearningRate: 0.5, beta1: 0.9, beta2: 0.99, tau: 0.001 };
const EVERY: readonly StrategySettings[] = [
  { name: 'fedavg' },
  { name: 'fedavgm', serverLearningRate: 1, serverMomentum: 0.9 },
  { name: 'fedadagrad', serverLearningRate: 0.1, beta1: 0, tau: 0.001 },
  { name: 'fedadam', ...ADAM },
  { name: 'fedyogi', ...ADAM },
  { name: 'median' },
  { name: 'trimmed-mean', trim: 0.2 },
  { name: 'krum', byzantine: 1 },
  { name: 'multi-krum', byzantine: 1 },
];

/** Within so many units in the last place of float32, at the scale of the numbers that went in. */
function assertClose(found: readonly number[], expected: readonly number[], scale: number, ulps = 4): void {
  assert.equal(found.length, expected.length);
  for (const [at, each] of found.entries()) {
    const difference = Math.abs(each - (expected[at] as number));
    assert.ok(difference <= ulps * scale * 2 ** -23, `${each} is not ${expected[at]} (at ${at})`);
  }
}

describe('every strategy', () => {
  for (const settings of EVERY) {
    const fewest = fewestUpdates(settings).updates;
    const enough = fc.array(anyUpdate, { minLength: fewest, maxLength: fewest + 8 });

    it(`${settings.name} gives the same for the same, and for updates one by one`, () =>
      fc.assert(
        fc.asyncProperty(anyModel, enough, async (global, updates) => {
          const strategy = strategyNamed(settings);
          async function* oneByOne() {
            yield* updates;
          }
          const first = await strategy.aggregate(start(global), updates);
          assert.deepEqual(await strategy.aggregate(start(global), oneByOne()), first);
          assert.equal(first.round, 2);
        }),
        { numRuns: 30 },
      ));

    it(`${settings.name} does not depend on the order of the updates but for the last bits`, async () => {
      // Krum takes the first of a tie, so these are numbers that do not tie.
      const random = randomStream(1, 'order of updates');
      const normalModel = () => model(...Array.from({ length: SIZE }, () => random.normal()));
      for (let turn = 0; turn < 50; turn++) {
        const global = normalModel();
        const updates = Array.from({ length: fewest + (turn % 6) }, () => ({
          weights: normalModel(),
          examples: random.integer(1, 100),
        }));
        const expected = valuesOf(await run(settings, global, updates));
        const order = permutation(updates.length, random);
        const shuffled = [...order].map((at) => updates[at] as WeightedUpdate);
        assertClose(valuesOf(await run(settings, global, shuffled)), expected, 4);
      }
    });

    it(`${settings.name} leaves its input as it was, and the state where there is no update`, () =>
      fc.assert(
        fc.asyncProperty(anyModel, enough, async (global, updates) => {
          const before = JSON.stringify({ global, updates });
          const strategy = strategyNamed(settings);
          const first = await strategy.aggregate(start(global), updates);
          const kept = JSON.stringify(first);
          await strategy.aggregate(first, updates);
          assert.equal(JSON.stringify({ global, updates }), before);
          assert.equal(JSON.stringify(first), kept);
          assert.equal(await strategy.aggregate(first, []), first);
        }),
        { numRuns: 20 },
      ));
  }
});

describe('FedAvgM', () => {
  it('with momentum 0 and rate 1 is FedAvg', () =>
    fc.assert(
      fc.asyncProperty(anyModel, anyUpdates, async (global, updates) => {
        const plain: StrategySettings = { name: 'fedavgm', serverLearningRate: 1, serverMomentum: 0 };
        const expected = await run({ name: 'fedavg' }, global, updates);
        assertClose(valuesOf(await run(plain, global, updates)), valuesOf(expected), 1e3, 1);
      }),
    ));

  it('gathers momentum: two equal differences, by hand', async () => {
    const strategy = strategyNamed({ name: 'fedavgm', serverLearningRate: 0.5, serverMomentum: 0.5 });
    const first = await strategy.aggregate(start(model(1)), [{ weights: model(3), examples: 1 }]);
    assert.deepEqual(valuesOf(first.weights), [2]); // 1 + 0.5 · 2
    assert.deepEqual(valuesOf(first.slots?.u as Weights), [2]);
    const second = await strategy.aggregate(first, [{ weights: model(4), examples: 1 }]);
    assert.deepEqual(valuesOf(second.weights), [3.5]); // 2 + 0.5 · (0.5 · 2 + 2)
    assert.equal(second.round, 3);
  });
});

describe('the adaptive strategies', () => {
  /** Algorithm 2 of Reddi et al. for one weight, in the paper's own words. */
  const byHand = (
    deltas: readonly number[],
    { eta, beta1, tau }: { readonly eta: number; readonly beta1: number; readonly tau: number },
    nextV: (v: number, delta: number) => number,
  ) => {
    let [x, m, v] = [0, 0, tau ** 2];
    for (const delta of deltas) {
      m = beta1 * m + (1 - beta1) * delta;
      v = nextV(v, delta);
      x += (eta * m) / (Math.sqrt(v) + tau);
    }
    return x;
  };
  const cases: readonly (readonly [StrategySettings, (v: number, delta: number) => number])[] = [
    [{ name: 'fedadagrad', serverLearningRate: 0.5, beta1: 0.9, tau: 0.001 }, (v, d) => v + d ** 2],
    [{ name: 'fedadam', ...ADAM }, (v, d) => 0.99 * v + 0.01 * d ** 2],
    [{ name: 'fedyogi', ...ADAM }, (v, d) => v - 0.01 * d ** 2 * Math.sign(v - d ** 2)],
  ];
  for (const [settings, nextV] of cases) {
    it(`${settings.name} takes the paper's steps`, async () => {
      const deltas = [2, -0.5, 0.25, 0.0625, 1];
      let state = start(model(0));
      for (const delta of deltas) {
        // Twice a half of the difference each way: the mean is what counts.
        const [at] = valuesOf(state.weights) as [number];
        const updates = [at + 2 * delta, at].map((each) => ({ weights: model(each), examples: 7 }));
        state = await strategyNamed(settings).aggregate(state, updates);
      }
      const expected = byHand(deltas, { eta: 0.5, beta1: 0.9, tau: 0.001 }, nextV);
      assertClose(valuesOf(state.weights), [expected], Math.abs(expected), 64);
    });
  }

  it('fedadam, first step by hand: η (1−β₁) Δ / (√(β₂ τ² + (1−β₂) Δ²) + τ)', async () => {
    const next = await run({ name: 'fedadam', ...ADAM }, model(1), [{ weights: model(3), examples: 5 }]);
    const expected = 1 + (0.5 * 0.1 * 2) / (Math.sqrt(0.99 * 1e-6 + 0.01 * 4) + 0.001);
    assertClose(valuesOf(next), [expected], expected, 1);
  });

  it('move weights but average the moving statistics of BatchNormalization', async () => {
    const array = (name: string, ...values: number[]): WeightArray => ({
      name,
      shape: [values.length],
      values: Float32Array.from(values),
    });
    const norm = (gamma: number, mean: number, variance: number): Weights => [
      array('bn/gamma:0', gamma),
      array('bn/moving_mean:0', mean),
      array('bn/moving_variance:0', variance),
      array('dense/kernel:0', gamma),
    ];
    const strategy = strategyNamed({ name: 'fedadam', ...ADAM });
    let state = start(norm(1, 0, 1));
    for (const _ of [1, 2]) {
      state = await strategy.aggregate(state, [
        { weights: norm(0.5, 4, 0.25), examples: 1 },
        { weights: norm(0.5, 8, 0.75), examples: 3 },
      ]);
    }
    const [gamma, mean, variance, kernel] = state.weights.map(({ values }) => values[0] as number);
    assert.deepEqual([mean, variance], [7, 0.625]);
    assert.equal(gamma, kernel, 'slots belong to their arrays, also behind statistics');
    assert.notEqual(gamma, 0.5);
    assert.deepEqual(
      state.slots?.m?.map(({ name }) => name),
      ['bn/gamma:0', 'dense/kernel:0'],
    );
  });
});

describe('the robust strategies', () => {
  const robust: readonly (readonly [StrategySettings, number])[] = [
    [{ name: 'median' }, 3],
    [{ name: 'trimmed-mean', trim: 3 }, 3],
    [{ name: 'krum', byzantine: 3 }, 3],
  ];
  for (const [settings, bad] of robust) {
    it(`${settings.name} stays among 7 good updates, whatever ${bad} bad ones are`, () =>
      fc.assert(
        fc.asyncProperty(
          fc.array(anyModel, { minLength: 7, maxLength: 7 }),
          fc.array(wildModel, { minLength: bad, maxLength: bad }),
          fc.nat(),
          async (good, wild, turn) => {
            const mixed = [...good, ...wild];
            const turned = mixed.map((_, index) => mixed[(index + turn) % mixed.length] as Weights);
            const updates = turned.map((weights) => ({ weights, examples: 1 }));
            const result = valuesOf(await run(settings, model(0, 0, 0, 0), updates));
            if (settings.name === 'krum') {
              // Its promise is about distance: no farther from some good update than good ones are from each other.
              const nearest = Math.min(...good.map((each) => distance(model(...result), each)));
              const widest = Math.max(...good.flatMap((a) => good.map((b) => distance(a, b))));
              assert.ok(nearest <= widest * 2 + 1e-3, `${nearest} of ${widest}`);
              return;
            }
            for (const [at, each] of result.entries()) {
              const column = good.map((weights) => valuesOf(weights)[at] as number);
              assert.ok(each >= Math.min(...column) && each <= Math.max(...column), `${each} at ${at}`);
            }
          },
        ),
      ));
  }

  it('of equal updates give exactly that model', () =>
    fc.assert(
      fc.asyncProperty(anyModel, fc.integer({ min: 5, max: 9 }), async (weights, count) => {
        const updates = Array.from({ length: count }, () => ({ weights, examples: 1 }));
        for (const settings of EVERY.slice(5)) {
          assert.deepEqual(await run(settings, model(9, 9, 9, 9), updates), weights);
        }
      }),
    ));

  it('the mean has no such bound: one update takes it anywhere', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(anyModel, { minLength: 1, maxLength: 9 }),
        wildModel,
        async (good, target) => {
          const sum = good.reduce((so, each) => so + (valuesOf(each)[0] as number), 0);
          const aim = valuesOf(target)[0] as number;
          const wanted = Math.sign(aim || 1) * Math.min(Math.abs(aim), 1e30);
          const bad = model(...valuesOf(model(0, 0, 0, 0)).map(() => wanted * (good.length + 1) - sum));
          const updates = [...good, bad].map((weights) => ({ weights, examples: 1 }));
          const [found] = valuesOf(await run({ name: 'fedavg' }, model(0, 0, 0, 0), updates)) as [number];
          assert.ok(Math.abs(found - wanted) <= 1e-6 * Math.abs(wanted) + 1e-2, `${found} is not ${wanted}`);
        },
      ),
    ));

  it('multi-krum averages updates that are each as near to the good ones as these are to each other', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(anyModel, { minLength: 7, maxLength: 7 }),
        fc.array(wildModel, { minLength: 2, maxLength: 2 }),
        async (good, wild) => {
          const updates = [...wild, ...good].map((weights) => ({ weights, examples: 1 }));
          const next = await run({ name: 'multi-krum', byzantine: 2, keep: 1 }, model(0, 0, 0, 0), updates);
          assert.deepEqual(next, await run({ name: 'krum', byzantine: 2 }, model(0, 0, 0, 0), updates));
          // n − f − 2 of them: a bad one among these has n − f − 2 neighbours, good ones among them.
          const some = await run({ name: 'multi-krum', byzantine: 2 }, model(0, 0, 0, 0), updates);
          const widest = Math.max(...good.flatMap((a) => good.map((b) => distance(a, b))));
          const nearest = Math.min(...good.map((each) => distance(some, each)));
          assert.ok(nearest <= widest * 4 + 1e-3, `${nearest} of ${widest}`);
        },
      ),
    ));

  it('krum looks at the n − f − 2 nearest: with one more, 0.25 would win', async () => {
    const updates = [0, 0.125, 0.25, 5, 6].map((at) => ({ weights: model(at), examples: 1 }));
    assert.deepEqual(valuesOf(await run({ name: 'krum', byzantine: 1 }, model(0), updates)), [0.125]);
  });

  it('krum and multi-krum leave far updates out', async () => {
    const far = [
      [100, 100],
      [-100, 90],
    ];
    const near = [
      [1, 0],
      [0, 1],
      [0.5, 0.5],
      [1, 1],
      [0, 0],
    ];
    const updates = [...far, ...near].map((values, client) => ({
      weights: model(...values),
      examples: client < 2 ? 1_000_000 : 1,
    }));
    const one = valuesOf(await run({ name: 'krum', byzantine: 2 }, model(0, 0), updates));
    assert.deepEqual(one, [0.5, 0.5]);
    const some = valuesOf(await run({ name: 'multi-krum', byzantine: 2 }, model(0, 0), updates));
    assert.ok(some.every((each) => each >= 0 && each <= 1));
  });

  it('need as many updates as their proofs, with the numbers in the message', async () => {
    const updates = (count: number) =>
      Array.from({ length: count }, (_, client) => ({ weights: model(client), examples: 1 }));
    const cases: readonly (readonly [StrategySettings, number])[] = [
      [{ name: 'krum', byzantine: 2 }, 7],
      [{ name: 'multi-krum', byzantine: 1, keep: 5 }, 8],
      [{ name: 'trimmed-mean', trim: 2 }, 5],
      [{ name: 'trimmed-mean', trim: 0.2 }, 5],
      [{ name: 'trimmed-mean', trim: 0.49 }, 3],
    ];
    for (const [settings, fewest] of cases) {
      assert.equal(fewestUpdates(settings).updates, fewest);
      await run(settings, [], updates(fewest));
      await assert.rejects(run(settings, [], updates(fewest - 1)), (error: Error) => {
        assert.ok(error instanceof ThresholdError);
        assert.match(error.message, new RegExp(`at least ${fewest} updates, found ${fewest - 1}\\.`));
        return true;
      });
    }
  });

  it('whatever the share, the trimmed mean leaves something out and something in', () =>
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 0.499, noNaN: true }), (trim) => {
        const { updates: fewest } = fewestUpdates({ name: 'trimmed-mean', trim });
        const cut = Math.floor(trim * fewest);
        assert.ok(cut >= 1 && fewest - 2 * cut >= 1, `${cut} of ${fewest}`);
      }),
    ));

  it('refuse more than fits into their memory', async () => {
    const updates = Array.from({ length: 3 }, () => ({ weights: model(1, 2, 3, 4), examples: 1 }));
    const limit = { name: 'median', maxBytes: 2 * 16 };
    await assert.rejects(holdUpdates(updates, limit), (error: Error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, /more than 2 of 4 parameters exceed its limit/);
      return true;
    });
    assert.equal((await holdUpdates(updates.slice(1), limit))?.vectors.length, 2);
  });

  it('work on models of more coordinates than one block', async () => {
    const shape = [1500];
    const filled = (add: number): Weights => [
      { name: 'w', shape, values: Float32Array.from({ length: 1500 }, (_, at) => at + add) },
    ];
    const updates = [3, -1, 0].map((add) => ({ weights: filled(add), examples: 1 }));
    assert.deepEqual(await run({ name: 'median' }, [], updates), filled(0));
  });
});

describe('norm clipping', () => {
  const anyNorm = fc.double({ min: 0.01, max: 3000, noNaN: true });

  it('never leaves an update farther away than asked, nor moves one that is near enough', () =>
    fc.assert(
      fc.asyncProperty(anyModel, anyUpdate, anyNorm, async (global, update, maxNorm) => {
        const before = distance(update.weights, global);
        const next = await run({ name: 'median', clipNorm: maxNorm }, global, [update]);
        if (before <= maxNorm) assert.deepEqual(next, update.weights);
        const after = distance(next, global);
        // The clipped weights are rounded to float32 at the size of the weights themselves.
        assert.ok(
          after <= maxNorm + 1e-3 && after <= before + 1e-3,
          `${after} of ${before}, at most ${maxNorm}`,
        );
      }),
    ));

  it('to the median: of far updates the length alone is taken, and the copies are right', async () => {
    const updates = [
      { weights: model(1 + 3, 1 + 4), examples: 1 },
      { weights: model(1, 1 + 10), examples: 1 },
      { weights: model(1 - 1e6, 1), examples: 2 },
    ];
    // Norms 5, 10 and a million: all count as 10 at most.
    const settings: StrategySettings = { name: 'fedavg', clipNorm: 'auto' };
    assert.deepEqual(valuesOf(await run(settings, model(1, 1), updates)), [1 + (3 - 20) / 4, 1 + 14 / 4]);
    async function* oneByOne() {
      // Whoever gives updates may use their memory again.
      const shared = model(0, 0);
      for (const { weights, examples } of updates) {
        shared[0]?.values.set(weights[0]?.values ?? []);
        yield { weights: shared, examples };
      }
    }
    const next = await strategyNamed(settings).aggregate(start(model(1, 1)), oneByOne());
    assert.deepEqual(valuesOf(next.weights), [1 + (3 - 20) / 4, 1 + 14 / 4]);
  });

  it('to the median: whatever less than half of the updates are, none moves the mean farther than a good one could', () =>
    fc.assert(
      fc.asyncProperty(
        anyModel,
        fc.array(anyModel, { minLength: 4, maxLength: 7 }),
        fc.array(wildModel, { minLength: 0, maxLength: 3 }),
        fc.nat(),
        async (global, good, wild, turn) => {
          const mixed = [...good, ...wild];
          const turned = mixed.map((_, index) => mixed[(index + turn) % mixed.length] as Weights);
          const updates = turned.map((weights) => ({ weights, examples: 1 }));
          const norms = good.map((each) => distance(each, global));
          const most = Math.max(...norms);
          const next = await run({ name: 'fedavg', clipNorm: 'auto' }, global, updates);
          assert.ok(distance(next, global) <= most * (1 + 1e-6) + 1e-3);
          // Where most stay where they are, nobody goes anywhere.
          const still = [...good.map(() => global), ...wild].map((weights) => ({ weights, examples: 1 }));
          assert.deepEqual(await run({ name: 'fedavg', clipNorm: 'auto' }, global, still), global);
        },
      ),
    ));

  it('to the median holds the updates of a round, and has no sums of groups', () => {
    assert.notEqual(strategyNamed({ name: 'fedavg', clipNorm: 1 }).aggregateGroups, undefined);
    assert.equal(strategyNamed({ name: 'fedavg', clipNorm: 'auto' }).aggregateGroups, undefined);
  });

  it('keeps the direction, and goes around any strategy', async () => {
    const updates = [{ weights: model(1 + 30, 1 + 40), examples: 2 }];
    assert.deepEqual(valuesOf(await run({ name: 'fedavg', clipNorm: 5 }, model(1, 1), updates)), [4, 5]);
    assert.equal(clipNorm(strategyNamed({ name: 'median' }), 1).needsGlobal, true);
  });
});

describe('what Flower makes of the same updates', () => {
  const path = new URL('../../../../lib/federation/strategies/fixtures/flower.json', import.meta.url);
  const fixture = JSON.parse(readFileSync(path, 'utf8')) as {
    readonly shapes: readonly (readonly number[])[];
    readonly examples: readonly number[];
    readonly updates: readonly (readonly (readonly number[])[])[];
    readonly results: Readonly<Record<string, readonly (readonly number[])[]>>;
  };
  const weightsOf = (arrays: readonly (readonly number[])[]): Weights =>
    arrays.map((values, index) => {
      const shape = fixture.shapes[index] as readonly number[];
      assert.equal(values.length, sizeOf(shape));
      return { name: `array ${index}`, shape, values: Float32Array.from(values) };
    });
  const updates = fixture.updates.map((arrays, client) => ({
    weights: weightsOf(arrays),
    examples: fixture.examples[client] as number,
  }));
  const cases: Readonly<Record<string, StrategySettings>> = {
    fedavg: { name: 'fedavg' },
    median: { name: 'median' },
    'trimmed-mean 0.25': { name: 'trimmed-mean', trim: 0.25 },
    'krum 2': { name: 'krum', byzantine: 2 },
    'multi-krum 2 keep 4': { name: 'multi-krum', byzantine: 2, keep: 4 },
  };
  for (const [name, settings] of Object.entries(cases)) {
    it(name, async () => {
      const found = await run(settings, [], updates);
      for (const [index, expected] of (fixture.results[name] ?? []).entries()) {
        assertClose([...(found[index] as WeightArray).values], expected, 100);
      }
      assert.equal(found.length, fixture.results[name]?.length);
    });
  }
});
