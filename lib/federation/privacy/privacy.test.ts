/** Privacy: the accountant against Google's dp-accounting, the noise against its distribution, the mean by hand. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { randomStream } from '../../core/random.js';
import type { Weights } from '../../core/weights.js';
import { distance } from '../strategies/clip-norm.js';
import type { ServerState } from '../strategies/strategy.js';
import { strategyNamed } from '../strategies/strategy-named.js';
import { noiseFor, type PrivacySpent, privacySpent } from './accountant.js';
import { type Draw, keyedBits, normals } from './keyed-noise.js';
import { privateMean } from './private-mean.js';

type Case = Parameters<typeof privacySpent>[0] & PrivacySpent;
const path = new URL('../../../../lib/federation/privacy/fixtures/dp-accounting.json', import.meta.url);
const cases = JSON.parse(readFileSync(path, 'utf8')) as readonly Case[];

describe('the accountant', () => {
  for (const each of cases) {
    const { noise, participants, population, rounds } = each;
    it(`agrees with dp-accounting: z ${noise}, ${participants} of ${population}, ${rounds} rounds`, () => {
      const { epsilon, epsilonPoisson } = privacySpent(each);
      assert.ok(Math.abs(epsilon / each.epsilon - 1) < 1e-9, `${epsilon}, not ${each.epsilon}`);
      // An upper bound, and a close one: see the fixture's generator.
      const ratio = epsilonPoisson / each.epsilonPoisson;
      assert.ok(ratio > 1 - 1e-9 && ratio < 1.025, `${epsilonPoisson}, not ${each.epsilonPoisson}`);
    });
  }

  const anyRun = fc.record({
    noise: fc.double({ min: 0.3, max: 20, noNaN: true }),
    participants: fc.integer({ min: 1, max: 50 }),
    population: fc.constantFrom<number>(50, 100, 1000),
    delta: fc.constantFrom<number>(1e-3, 1e-5),
    rounds: fc.integer({ min: 1, max: 200 }),
  });

  it('spends more with more rounds, and less with more noise and from more clients', () =>
    fc.assert(
      fc.property(anyRun, (run) => {
        const spent = privacySpent(run);
        const atMost = (change: Partial<typeof run>) => {
          const other = privacySpent({ ...run, ...change });
          assert.ok(other.epsilon <= spent.epsilon + 1e-9, `${other.epsilon} of ${spent.epsilon}`);
          assert.ok(other.epsilonPoisson <= spent.epsilonPoisson + 1e-9);
        };
        atMost({ noise: run.noise * 1.5 });
        atMost({ population: run.population * 2 });
        if (run.rounds > 1) atMost({ rounds: run.rounds - 1 });
      }),
      { numRuns: 25 },
    ));

  it('finds the noise for an epsilon: enough, and hardly more than enough', () =>
    fc.assert(
      fc.property(anyRun, fc.double({ min: 0.2, max: 30, noNaN: true }), (run, epsilon) => {
        const noise = noiseFor({ ...run, epsilon }) as number;
        const spent = (z: number) => privacySpent({ ...run, noise: z }).epsilon;
        assert.ok(spent(noise) <= epsilon, `${spent(noise)} with ${noise}, not ${epsilon}`);
        assert.ok(spent(noise * 0.98) > epsilon, `${noise * 0.98} is enough for ${epsilon}`);
        assert.equal(noise, Number(noise.toPrecision(3)));
      }),
      { numRuns: 10 },
    ));

  it('finds the noise of the cases by their epsilon, and none where no noise is enough', () => {
    const run = { participants: 10, population: 100, rounds: 100, delta: 1e-5 };
    assert.equal(noiseFor({ ...run, epsilon: privacySpent({ ...run, noise: 4 }).epsilon }), 4);
    assert.equal(noiseFor({ ...run, epsilon: 1e-9 }), undefined);
  });

  it('without noise there is no privacy, with very little hardly any', () => {
    const run = { participants: 3, population: 10, delta: 1e-5, rounds: 1 };
    assert.deepEqual(privacySpent({ ...run, noise: 0 }), {
      epsilon: Infinity,
      epsilonPoisson: Infinity,
      delta: 1e-5,
    });
    const { epsilon } = privacySpent({ ...run, noise: 0.02 });
    assert.ok(Number.isFinite(epsilon) && epsilon > 1000, `${epsilon}`);
  });
});

describe('noise that was drawn again', () => {
  const run = { noise: 4, participants: 10, population: 100, delta: 1e-5, rounds: 20 };

  it('costs as much as less noise at once, and more than another round', () => {
    const once = privacySpent(run);
    assert.deepEqual(privacySpent({ ...run, redrawn: [] }), once);
    const twice = privacySpent({ ...run, redrawn: [2] });
    const longer = privacySpent({ ...run, rounds: 21 });
    assert.ok(twice.epsilon > longer.epsilon && longer.epsilon > once.epsilon);
    assert.ok(twice.epsilonPoisson > longer.epsilonPoisson);
    const single = { ...run, rounds: 1 };
    for (const drawn of [2, 3, 9]) {
      const equal = privacySpent({ ...single, noise: 4 / Math.sqrt(drawn) });
      assert.deepEqual(privacySpent({ ...single, redrawn: [drawn] }), equal);
    }
  });

  it('costs what further rounds do where all clients take part: there is no choice to hide in', () => {
    const all = { ...run, participants: 100, rounds: 3 };
    const { epsilon } = privacySpent({ ...all, redrawn: [2] });
    assert.ok(Math.abs(epsilon - privacySpent({ ...all, rounds: 4 }).epsilon) < 1e-9);
  });
});

describe('the noise', () => {
  const count = 200_000;
  for (const [name, bits] of [
    ['seeded', () => randomStream(5, 'test noise')],
    ['out of a key', () => keyedBits(Buffer.alloc(32, 7), { round: 1, inputs: 'test noise' })],
  ] as const) {
    it(`${name}, has the moments and tails of the normal distribution`, () => {
      const normal = normals(bits());
      const values = Float64Array.from({ length: count }, normal);
      const moment = (power: number) => values.reduce((sum, value) => sum + value ** power, 0) / count;
      const beyond = (limit: number) => values.filter((value) => Math.abs(value) > limit).length / count;
      // Seven standard errors each: a right one fails once in 10¹¹ runs.
      const bounds: readonly (readonly [number, number, number])[] = [
        [moment(1), 0, Math.sqrt(1 / count)],
        [moment(2), 1, Math.sqrt(2 / count)],
        [moment(3), 0, Math.sqrt(15 / count)],
        [moment(4), 3, Math.sqrt(96 / count)],
        [beyond(1), 0.3173105, Math.sqrt(0.3173 / count)],
        [beyond(3), 0.0026998, Math.sqrt(0.0027 / count)],
      ];
      for (const [found, expected, error] of bounds) {
        assert.ok(Math.abs(found - expected) < 7 * error, `${found} is not ${expected}`);
      }
      const pairs = values.reduce((sum, value, at) => sum + value * (values[at ^ 1] as number), 0) / count;
      assert.ok(Math.abs(pairs) < 7 * Math.sqrt(2 / count), `pairs go together: ${pairs}`);
    });
  }

  it('reaches beyond what 24 bits give', () => {
    const smallest = { uint32: () => 0 };
    assert.ok(normals(smallest)() > 8.5);
  });
});

const model = (...values: number[]): Weights => [
  { name: 'bn/moving_variance:0', shape: [1], values: Float32Array.from(values.slice(0, 1)) },
  { name: 'dense/kernel:0', shape: [values.length - 1], values: Float32Array.from(values.slice(1)) },
];
const start: ServerState = { round: 3, weights: model(1, 0, 0) };
const without = { clip: 5, noise: 0, participants: 4, normals: () => () => 0 };

describe('the private mean', () => {
  it('clips, weighs all alike, and divides by the participants, not by who reported', async () => {
    const updates = [
      { weights: model(1, 30, 40), examples: 1 },
      { weights: model(1, 1, 2), examples: 1_000_000 },
    ];
    const mean = await privateMean(without).mean(start, updates);
    assert.deepEqual(
      mean?.mean.map(({ values }) => [...values]),
      [[1], [(3 + 1) / 4, (4 + 2) / 4]],
    );
  });

  it('adds noise of z·S/m to every weight, and leaves variances above zero', async () => {
    const noisy = { ...without, noise: 2, normals: () => () => -1 };
    const mean = await privateMean(noisy).mean(start, [{ weights: model(1, 0, 0), examples: 1 }]);
    assert.deepEqual(
      mean?.mean.map(({ values }) => [...values]),
      [[0], [-2.5, -2.5]],
    );
  });

  it('moves by no more than S/m for one client more', () => {
    const wild = fc.float({ noNaN: true, min: -1e6, max: 1e6 });
    const anyModel = fc.array(wild, { minLength: 3, maxLength: 3 }).map((values) => model(...values));
    return fc.assert(
      fc.asyncProperty(fc.array(anyModel, { minLength: 2, maxLength: 4 }), async (models) => {
        const updates = models.map((weights) => ({ weights, examples: 1 }));
        const plain = { ...start, weights: model(1e6, 0, 0) };
        const values = async (some: typeof updates) =>
          ((await privateMean(without).mean(plain, some))?.mean ?? []).flatMap((array) => [...array.values]);
        const [all, less] = [await values(updates), await values(updates.slice(1))];
        const moved = Math.hypot(...all.map((value, at) => value - (less[at] as number)));
        assert.ok(moved <= 5 / 4 + 1e-9, `${moved}`);
      }),
    );
  });

  it('refuses more updates than it was told of', async () => {
    const updates = Array.from({ length: 5 }, () => ({ weights: model(1, 1, 1), examples: 1 }));
    await assert.rejects(privateMean(without).mean(start, updates), {
      name: 'UsageError',
      message: /at most 4 updates/,
    });
  });

  const privacy = { clip: 5, noise: 1, delta: 1e-5 };
  const facts = { seed: 1, participants: 4 };
  const updates = [{ weights: model(1, 30, 40), examples: 1 }];

  it('repeats with the seed, round by round another; of a key also for other updates and settings', async () => {
    const next = async (noiseSource: 'seed' | 'system', seed: number, round: number) =>
      (
        await strategyNamed(
          { name: 'fedavg', privacy: { ...privacy, noiseSource } },
          { ...facts, seed },
        ).aggregate({ ...start, round }, updates)
      ).weights;
    const first = await next('seed', 1, 3);
    assert.deepEqual(await next('seed', 1, 3), first);
    assert.notDeepEqual(await next('seed', 2, 3), first);
    assert.notDeepEqual(await next('seed', 1, 4), first);
    const keyed = async (key: number, round = 3, some = updates, change = {}) => {
      const settings = { ...privacy, ...change, noiseSource: 'system' } as const;
      const noise = (draw: Draw) => keyedBits(Buffer.alloc(32, key), draw);
      const strategy = strategyNamed({ name: 'fedavg', privacy: settings }, { ...facts, noise });
      const { weights } = await strategy.aggregate({ ...start, round }, some);
      return JSON.stringify(weights.map(({ values }) => [...values]));
    };
    const other = [...updates, { weights: model(1, 1, 1), examples: 1 }];
    assert.equal(await keyed(1), await keyed(1));
    const noiseOf = async (some: typeof updates, change: object) => {
      const [noisy, plain] = [keyed(1, 3, some, change), keyed(1, 3, some, { ...change, noise: 0 })];
      const [of, without] = [JSON.parse(await noisy), JSON.parse(await plain)] as number[][][];
      return (of?.[1]?.[0] ?? 0) - (without?.[1]?.[0] ?? 0);
    };
    // Were the noise of two sums the same, their difference would tell the update that one of them lacks.
    const [one, two] = [await noiseOf(updates, {}), await noiseOf(other, {})];
    assert.ok(Math.abs(one - two) > 1e-3, `${one} and ${two}`);
    const all = [keyed(1), keyed(2), keyed(1, 4), keyed(1, 3, other), keyed(1, 3, updates, { clip: 4 })];
    assert.equal(new Set(await Promise.all(all)).size, all.length);
  });

  it('is what a server optimizer steps towards', async () => {
    const settings = { name: 'fedavgm', serverLearningRate: 2, serverMomentum: 0 } as const;
    const noiseless = { ...privacy, noise: 0, noiseSource: 'system' } as const;
    const noise = (draw: Draw) => keyedBits(Buffer.alloc(32), draw);
    const strategy = strategyNamed({ ...settings, privacy: noiseless }, { ...facts, noise });
    assert.equal(strategy.needsGlobal, true);
    const next = await strategy.aggregate(start, updates);
    assert.deepEqual([...(next.weights[1]?.values ?? [])], [1.5, 2]);
    assert.ok(distance(next.weights, start.weights) <= (2 * 5) / 4);
  });
});
