/**
 * FedNova: normalised averaging (Wang, Liu, Liang, Joshi, Poor 2020, Tackling the Objective Inconsistency Problem in
 * Heterogeneous Federated Optimization, arXiv 2007.07481, equations 5 to 8). A client's change is a combination of its
 * gradients, Δ_i = −η·G_i·a_i; divided by ‖a_i‖₁ it counts by the client's examples alone, however far the client went:
 * w_{t+1} = w_t + τ_eff · Σ_i p_i · Δ_i/‖a_i‖₁,  p_i = n_i/n,  τ_eff = Σ_i p_i·‖a_i‖₁.
 * Where all ‖a_i‖₁ are equal, that is FedAvg, or FedProx with a proximal term.
 */
import { isStatistic, type WeightArray } from '../../core/weights.js';
import { beyondSgd, type FinishedTraining, type LocalTraining } from '../client-side.js';
import type { MeanArray, Term } from '../weighted-mean.js';
import { averaging } from './strategy-module.js';

/** More steps than a round has: what claims more would drown the others. */
const MAX_STEPS = 1e9;

/** FedNova. The server keeps nothing; each update tells ‖a_i‖₁ as `effectiveSteps`. */
export const fedNova = averaging({
  name: 'fednova',
  parameters: {},
  client: {
    extras: { effectiveSteps: { kind: 'number', min: 1, max: MAX_STEPS } },
    problem(training: LocalTraining) {
      const { optimizer, proximal } = training;
      const beyond = beyondSgd(training);
      if (beyond !== undefined) {
        const why = 'it needs changes that are a fixed combination of gradients, as those of sgd are';
        return [beyond, why];
      }
      const { learningRate, momentum = 0 } = optimizer;
      // Above that the terms of a_i turn negative, which the paper excludes.
      const largest = (1 - Math.sqrt(momentum)) ** 2 / learningRate;
      if (proximal <= largest) return undefined;
      const found = `learning rate ${learningRate} and momentum ${momentum}`;
      return ['proximal', `with ${found} it takes at most ${Number(largest.toPrecision(3))}`];
    },
    report: (training: FinishedTraining) => ({ effectiveSteps: effectiveSteps(training) }),
  },
  step: () => ({
    needsGlobal: true,
    slots: [],
    terms: ({ weights, extras }) => {
      const steps = extras?.effectiveSteps as number;
      // The moving statistics of BatchNormalization are no sum of steps: their mean is taken.
      const scaled = weights.map(
        (array): Term => (isStatistic(array.name) ? array : { ...array, factor: 1 / steps }),
      );
      return [...scaled, numberTerm('effectiveSteps', steps), numberTerm('inverseSteps', 1 / steps)];
    },
    step(state, mean) {
      const [steps, inverse] = mean.slice(-2).map(({ values }) => values[0]) as [number, number];
      const weights = mean.slice(0, -2).map(({ name, shape, values }: MeanArray, index): WeightArray => {
        if (isStatistic(name)) return { name, shape, values: new Float32Array(values) };
        const global = (state.weights[index] as WeightArray).values;
        const next = Float32Array.from(values, (value, at) => {
          const from = global[at] as number;
          return from + steps * (value - from * inverse);
        });
        return { name, shape, values: next };
      });
      return { ...state, weights };
    },
  }),
});

const numberTerm = (name: string, value: number): Term => ({
  name,
  shape: [],
  values: Float64Array.of(value),
});

/**
 * ‖a‖₁ of the steps that a client took. What a gradient moves the model by, n steps later, is the same for each
 * gradient: with the learning rate taken out it is 1 after its own step; then momentum ρ repeats each step, and the
 * proximal term takes η·μ of what has been moved. For plain SGD the sum is the number of steps, with momentum
 * (τ − ρ(1−ρ^τ)/(1−ρ))/(1−ρ), with the proximal term (1−(1−ημ)^τ)/(ημ), as in the paper.
 */
function effectiveSteps({
  optimizer: { learningRate, momentum = 0 },
  proximal,
  steps,
}: FinishedTraining): number {
  let [moved, velocity, sum] = [0, 1, 0];
  for (let step = 0; step < steps; step++) {
    moved += velocity;
    sum += moved;
    velocity = momentum * velocity - learningRate * proximal * moved;
  }
  return sum;
}
