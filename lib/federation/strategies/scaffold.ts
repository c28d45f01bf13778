/**
 * SCAFFOLD (Karimireddy, Kale, Mohri, Reddi, Stich, Suresh 2020, SCAFFOLD: Stochastic Controlled Averaging for Federated
 * Learning, arXiv 1910.06378, algorithm 1, option II). Server and clients keep control variates c and c_i, estimates of
 * the gradient of all data and of the client's, 0 at first. Each local step is y ← y − η·(g(y) − c_i + c); after K of
 * them c_i⁺ = c_i − c + (x − y)/(K·η). The server's step, with a client's share p_i of all examples as its weight
 * where the paper has clients of equal weight:
 * x ← x + η_g · Σ_S n_i/n_S · (y_i − x),  c ← c + Σ_S p_i · (c_i⁺ − c_i), so that c = Σ p_i·c_i over all clients.
 */
import type { WeightArray, Weights } from '../../core/weights.js';
import { beyondSgd, type ClientMemory, type FinishedTraining, type LocalTraining } from '../client-side.js';
import type { MeanArray, Term } from '../weighted-mean.js';
import { SERVER_LEARNING_RATE } from './fed-avgm.js';
import { stepTrainable } from './server-step.js';
import { averaging } from './strategy-module.js';

/** SCAFFOLD. The slot `c` is the server's control variate; a client keeps its own as `control`. */
export const scaffold = averaging({
  name: 'scaffold',
  parameters: { serverLearningRate: { ...SERVER_LEARNING_RATE, default: 1 } },
  client: {
    extras: { controlChange: { kind: 'tensor' } },
    serverSlots: ['c'],
    keeps: ['control'],
    problem(training: LocalTraining) {
      const why = 'its control variates are means of the gradients of plain SGD';
      const beyond = beyondSgd(training);
      if (beyond !== undefined) return [beyond, why];
      if ((training.optimizer.momentum ?? 0) !== 0) return ['momentum', why];
      return training.proximal === 0 ? undefined : ['proximal', why];
    },
    correction: (memory: ClientMemory) =>
      combine(
        memory,
        ({ server, own }) =>
          (at) =>
            (server?.[at] ?? 0) - (own?.[at] ?? 0),
      ),
    report({ memory, weights, steps, optimizer }: FinishedTraining) {
      const distance = steps * optimizer.learningRate;
      const control = combine(memory, ({ index, from, server, own }) => {
        const to = (weights[index] as WeightArray).values;
        // A learning rate of 0 tells nothing of gradients.
        if (distance === 0) return (at) => own?.[at] ?? 0;
        return (at) =>
          (own?.[at] ?? 0) - (server?.[at] ?? 0) + ((from[at] as number) - (to[at] as number)) / distance;
      });
      const controlChange = combine(memory, ({ index, own }) => {
        const { values } = control[index] as WeightArray;
        return (at) => (values[at] as number) - (own?.[at] ?? 0);
      });
      return { controlChange, control };
    },
  },
  step: ({ serverLearningRate: eta }) => ({
    needsGlobal: true,
    needsAllExamples: true,
    slots: ['c'],
    terms: ({ weights, extras }) => {
      const changes = extras?.controlChange as Weights;
      return [
        ...weights,
        ...changes.map((array): Term => ({ ...array, name: `controlChange/${array.name}` })),
      ];
    },
    step(state, mean, { examples, allExamples }) {
      if (allExamples === undefined) throw new Error('scaffold needs the examples of all clients');
      const changes = mean.slice(state.weights.length);
      const model = mean.slice(0, state.weights.length);
      let array = 0;
      return stepTrainable(
        { state, mean: model, initial: { c: 0 } },
        ({ weights, delta, slots: [c], next }) => {
          const control = c as Float32Array;
          const change = (changes[array++] as MeanArray).values;
          for (let at = 0; at < next.length; at++) {
            next[at] = (weights[at] as number) + eta * (delta[at] as number);
            control[at] = (control[at] as number) + ((change[at] as number) * examples) / allExamples;
          }
        },
      );
    },
  }),
});

/** One array of a client's memory: c and c_i are absent where they are 0 still. */
interface Controls {
  readonly index: number;
  readonly from: Float32Array;
  readonly server: Float32Array | undefined;
  readonly own: Float32Array | undefined;
}

/** Arrays like the trainable ones of the model, element by element. */
function combine(
  { global, server, kept }: ClientMemory,
  elementsOf: (controls: Controls) => (at: number) => number,
): Weights {
  return global.map(({ name, shape, values: from }, index): WeightArray => {
    const [c, own] = [server?.c?.[index]?.values, kept?.control?.[index]?.values];
    const element = elementsOf({ index, from, server: c, own });
    return { name, shape, values: Float32Array.from(from, (_, at) => element(at)) };
  });
}
