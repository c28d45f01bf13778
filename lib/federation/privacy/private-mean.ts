/**
 * The average of DP-FedAvg (McMahan, Ramage, Talwar, Zhang 2018, Learning Differentially Private Recurrent Language
 * Models, arXiv 1710.06963, algorithm 1 with flat clipping, w_k = 1 and the estimator f̃_f of a fixed denominator):
 * w_t + (Σ_k Δ_k · min(1, S/‖Δ_k‖) + N(0, z²S²)) / m. One client moves it by S/m at most.
 */
import { createHash } from 'node:crypto';
import { UsageError } from '../../core/errors.js';
import { isVariance, type WeightArray, type Weights } from '../../core/weights.js';
import { clipScale } from '../strategies/clip-norm.js';
import type { Averaging } from '../strategies/server-step.js';
import type { MeanArray } from '../weighted-mean.js';
import { type AdaptiveClip, countNoiseFor, nextClip, updateNoise } from './adaptive-clip.js';
import type { Draw } from './keyed-noise.js';

/** The mechanism's parameters. */
interface PrivateMeanOptions {
  /** S, the norm that updates are clipped to. */
  readonly clip: number;
  /** z, the standard deviation of the noise on the sum, in units of S. */
  readonly noise: number;
  /** m, how many clients are selected in a round, whether they report or not. */
  readonly participants: number;
  /** With which S follows the updates' norms from round to round; S stays where it is absent. */
  readonly adaptive?: AdaptiveClip | undefined;
  /** The noise of a sum: numbers of the standard normal distribution. */
  readonly normals: (draw: Draw) => () => number;
}

/**
 * The average: every client counts the same, since weights by examples would let one client move it by more.
 *
 * @throws {UsageError} when there are more updates than participants
 */
export function privateMean(options: PrivateMeanOptions): Averaging {
  const { noise, participants, adaptive, normals } = options;
  const countNoise = adaptive && noise > 0 ? countNoiseFor(adaptive, participants) : 0;
  const ofUpdates = adaptive === undefined ? noise : updateNoise(noise, countNoise);
  if (ofUpdates === undefined) {
    throw new UsageError(
      `Noise of ${noise} with a clipping norm that follows the updates takes more than ${noise / 2} noise on their ` +
        `number, found ${countNoise}.`,
    );
  }
  const mean: Averaging['mean'] = async (state, updates) => {
    const { clip = options.clip } = state;
    const sums = state.weights.map(({ values }) => new Float64Array(values.length));
    let [count, counted] = [0, 0];
    let within = 0;
    for await (const { weights, examples } of updates) {
      counted += examples;
      if (++count > participants) {
        throw new UsageError(
          `Expected at most ${participants} updates, the participants that the privacy is reckoned with; found more.`,
        );
      }
      const scale = clipScale({ weights, from: state.weights, maxNorm: clip });
      within += scale === 1 ? 0.5 : -0.5;
      sums.forEach((sum, index) => {
        const { values } = weights[index] as WeightArray;
        const origin = (state.weights[index] as WeightArray).values;
        for (let at = 0; at < sum.length; at++)
          sum[at] = (sum[at] as number) + scale * ((values[at] as number) - (origin[at] as number));
      });
    }
    if (count === 0) return null;
    const { round, weights } = state;
    const counting = adaptive === undefined ? undefined : { ...adaptive, countNoise, within };
    const hidden = { sums, weights, clip, noise, participants, counting };
    const normal = normals({ round, inputs: hashOfSums(hidden) });
    const arrays = state.weights.map(({ name, shape, values: origin }, index): MeanArray => {
      const values = sums[index] as Float64Array;
      for (let at = 0; at < values.length; at++) {
        const mean = ((values[at] as number) + ofUpdates * clip * normal()) / participants;
        values[at] = (origin[at] as number) + mean;
        // Noise can push a variance below zero; what is done to a private result afterwards costs no privacy.
        if (isVariance(name)) values[at] = Math.max(0, values[at] as number);
      }
      return { name, shape, values };
    });
    if (adaptive === undefined) return { mean: arrays, examples: counted };
    const share = 0.5 + (within + countNoise * normal()) / participants;
    return { mean: arrays, examples: counted, clip: nextClip(adaptive, { clip, share }) };
  };
  return { needsGlobal: true, keepsClip: adaptive !== undefined, mean };
}

/** All that the result depends on but the noise. */
interface HiddenSums extends Omit<PrivateMeanOptions, 'normals' | 'adaptive'> {
  readonly sums: readonly Float64Array[];
  /** The global model that the differences were taken from. */
  readonly weights: Weights;
  /** How many updates are within S, and how that is hidden. */
  readonly counting: (AdaptiveClip & { readonly within: number }) | undefined;
}

function hashOfSums({ sums, weights, clip, noise, participants, counting }: HiddenSums): string {
  const told = [clip, noise, participants, ...(counting === undefined ? [] : [counting])];
  const hash = createHash('sha256').update(JSON.stringify(told));
  for (const values of [...sums, ...weights.map((array) => array.values)]) {
    hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return hash.digest('hex');
}
