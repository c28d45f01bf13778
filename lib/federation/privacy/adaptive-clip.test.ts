/** Adaptive clipping: the paper's algorithm in plain loops beside it, and where it leads. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { WeightArray, Weights } from '../../core/weights.js';
import type { ServerState } from '../strategies/strategy.js';
import { strategyNamed } from '../strategies/strategy-named.js';
import { keepsState } from '../strategies/strategy-settings.js';
import { updateNoise } from './adaptive-clip.js';
import { privateMean } from './private-mean.js';

const model = (...values: number[]): Weights => [
  { name: 'dense/kernel:0', shape: [values.length], values: Float32Array.from(values) },
];
const valuesOf = (weights: Weights) => [...(weights[0] as WeightArray).values];
const close = (found: number, expected: number, tolerance = 1e-9) =>
  assert.ok(
    Math.abs(found - expected) <= tolerance * Math.max(1, Math.abs(expected)),
    `${found}, not ${expected}`,
  );

describe('adaptive clipping', () => {
  it('splits the noise so that updates and bits together cost what z costs', () =>
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 20, noNaN: true }),
        fc.double({ min: 0.01, max: 50, noNaN: true }),
        (z, sigma) => {
          const split = updateNoise(z, sigma);
          if (z >= 2 * sigma) assert.equal(split, undefined);
          else close(1 / (split as number) ** 2 + 1 / (2 * sigma) ** 2, 1 / z ** 2);
        },
      ),
    ));

  it('is algorithm 1: sums clipped to C, noise z_Δ·C on them and σ_b on the count, C · exp(−η(b̃ − γ))', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 })), {
          minLength: 1,
          maxLength: 6,
        }),
        fc.record({
          clip: fc.double({ min: 0.5, max: 8, noNaN: true }),
          gamma: fc.double({ min: 0.1, max: 0.9, noNaN: true }),
          eta: fc.double({ min: 0.05, max: 1, noNaN: true }),
        }),
        async (points, { clip, gamma, eta }) => {
          const [noise, participants, countNoise] = [0.5, 7, 0.75];
          // Numbers in place of noise: each is another one.
          const drawn = [0.25, -1.5, 2];
          let at = 0;
          const normals = () => () => drawn[at++] as number;
          const adaptive = { quantile: gamma, learningRate: eta, countNoise };
          const state: ServerState = { round: 2, weights: model(1, -2), clip };
          const found = await privateMean({ clip: 123, noise, participants, adaptive, normals }).mean(
            state,
            points.map(([x, y]) => ({ weights: model(1 + x, -2 + y), examples: 3 })),
          );
          const split = (noise ** -2 - (2 * countNoise) ** -2) ** -0.5;
          let [sumX, sumY, bits] = [0, 0, 0];
          for (const [x, y] of points) {
            const scale = Math.min(1, clip / Math.hypot(x, y));
            sumX += x * (x === 0 && y === 0 ? 1 : scale);
            sumY += y * (x === 0 && y === 0 ? 1 : scale);
            if (Math.hypot(x, y) <= clip) bits += 1;
          }
          const [meanX, meanY] = found?.mean[0]?.values ?? [];
          close(meanX as number, 1 + (sumX + split * clip * 0.25) / participants);
          close(meanY as number, -2 + (sumY + split * clip * -1.5) / participants);
          // Bits are counted as ±½, so that who has not reported counts as one half.
          const share = (bits + (participants - points.length) / 2 + countNoise * 2) / participants;
          close(found?.clip as number, clip * Math.exp(-eta * (share - gamma)));
        },
      ),
      { numRuns: 60 },
    ));

  it('comes to the quantile of the norms that it is told', async () => {
    const updates = Array.from({ length: 40 }, (_, at) => ({ weights: model(at + 1, 0), examples: 1 }));
    for (const quantile of [0.25, 0.5, 0.8]) {
      const privacy = { clip: 1, noise: 0, delta: 1e-5, noiseSource: 'seed', quantile } as const;
      const strategy = strategyNamed({ name: 'fedavg', privacy }, { seed: 0, participants: 40 });
      let state: ServerState = { round: 1, weights: model(0, 0) };
      for (let round = 0; round < 150; round++) {
        const { clip } = await strategy.aggregate({ ...state, weights: model(0, 0) }, updates);
        state = { ...state, clip };
      }
      assert.ok(Math.abs((state.clip as number) - 40 * quantile) <= 1.5, `${quantile}: ${state.clip}`);
    }
  });

  it('keeps its norm in the state, and moves nothing where it is not asked for', async () => {
    const privacy = { clip: 2, noise: 0, delta: 1e-5, noiseSource: 'seed' } as const;
    const updates = [{ weights: model(3, 4), examples: 1 }];
    const state: ServerState = { round: 1, weights: model(0, 0) };
    const facts = { seed: 0, participants: 1 };
    const fixed = await strategyNamed({ name: 'fedavg', privacy }, facts).aggregate(state, updates);
    assert.equal('clip' in fixed, false);
    assert.equal(keepsState({ name: 'fedavg', privacy }), false);
    const following = { ...privacy, quantile: 0.5 };
    assert.equal(keepsState({ name: 'fedavg', privacy: following }), true);
    const moved = await strategyNamed({ name: 'fedavg', privacy: following }, facts).aggregate(
      state,
      updates,
    );
    assert.deepEqual(valuesOf(moved.weights), valuesOf(fixed.weights));
    close(moved.clip as number, 2 * Math.exp(0.2 * 0.5));
    const none = await strategyNamed({ name: 'fedavg', privacy: following }, facts).aggregate(moved, []);
    assert.equal(none, moved);
  });

  it('refuses noise on the count that nothing can make up for', () => {
    const adaptive = { quantile: 0.5, learningRate: 0.2, countNoise: 0.5 };
    const options = { clip: 1, noise: 1, participants: 10, adaptive, normals: () => () => 0 };
    assert.throws(() => privateMean(options), {
      name: 'UsageError',
      message: /takes more than 0\.5 noise on their number, found 0\.5/,
    });
  });
});
