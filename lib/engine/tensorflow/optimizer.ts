/** Optimizers on TensorFlow.js' tensors, with FedProx' term, step for step as the ONNX engine computes them. */
import type * as Tf from '@tensorflow/tfjs';
import type { Arithmetic } from '../../model/optimizers/optimizer-module.js';
import { optimizerModule, optimizerRates } from '../../model/optimizers/registry.js';
import type { OptimizerSettings, TrainingSettings } from '../engine.js';

/** An optimizer with its state. */
interface TensorOptimizer {
  /** Updates `variables` from gradients of the same order. Call inside `tf.tidy`. */
  apply(gradients: readonly Tf.Tensor[]): void;
  /** Forgets all gradients, and goes on from the variables as they are now, with another learning rate and corrections. */
  restart(learningRate: number, corrections?: readonly Float32Array[]): void;
  dispose(): void;
}

/** How an optimizer starts. */
interface OptimizerOptions extends Pick<TrainingSettings, 'optimizer' | 'proximal'> {
  /** What is added to the gradient of each variable; none where it is empty. */
  readonly corrections?: readonly Float32Array[];
}

/** Starts an optimizer for `variables` as they are now; its moments start at 0. */
export function createOptimizer(
  tf: typeof Tf,
  { optimizer, proximal = 0, corrections = [] }: OptimizerOptions,
  variables: readonly Tf.LayerVariable[],
): TensorOptimizer {
  let settings = optimizer;
  const anchors =
    proximal === 0 ? [] : variables.map((variable) => tf.tidy(() => tf.variable(variable.read(), false)));
  const module = optimizerModule(settings);
  const initial = Object.values(module.slots(settings));
  const slots = variables.map((variable) =>
    initial.map((value) => tf.tidy(() => tf.variable(tf.fill(variable.shape as number[], value), false))),
  );
  const added = corrections.map((values, index) =>
    tf.tidy(() => tf.variable(tf.tensor(values.slice(), variables[index]?.shape as number[]), false)),
  );
  let steps = 0;
  return {
    apply(gradients) {
      steps++;
      const math = arithmetic(tf);
      const rates = Object.fromEntries(
        Object.entries(optimizerRates(settings, steps)).map(([name, value]) => [name, tf.scalar(value)]),
      );
      const whole = gradients.map((raw, index) => {
        const [anchor, correction] = [anchors[index], added[index]];
        const slope = correction === undefined ? raw : raw.add(correction);
        if (anchor === undefined) return slope;
        return slope.add((variables[index] as Tf.LayerVariable).read().sub(anchor).mul(proximal));
      });
      for (const [index, gradient] of clipped(tf, settings, whole).entries()) {
        const variable = variables[index] as Tf.LayerVariable;
        const weights = variable.read();
        const next = module.update(math, settings, {
          weights: rates.decay === undefined ? weights : weights.sub(weights.mul(rates.decay)),
          gradient: () => gradient,
          descend(target, share) {
            const update = gradient.mul(rates.stepSize as Tf.Tensor);
            return (share === 1 ? target : target.mul(share)).sub(update);
          },
          slots: slots[index] ?? [],
          rates,
        });
        variable.write(next.weights);
        for (const [slot, value] of next.slots.entries()) slots[index]?.[slot]?.assign(value);
      }
    },
    restart(learningRate, next = []) {
      settings = { ...settings, learningRate };
      for (const [index, values] of next.entries()) {
        const kept = added[index];
        if (kept !== undefined) tf.tidy(() => kept.assign(tf.tensor(values.slice(), kept.shape)));
      }
      steps = 0;
      for (const each of slots) {
        for (const [at, slot] of each.entries())
          tf.tidy(() => slot.assign(tf.fill(slot.shape, initial[at] ?? 0)));
      }
      for (const [index, anchor] of anchors.entries()) {
        tf.tidy(() => anchor.assign((variables[index] as Tf.LayerVariable).read()));
      }
    },
    dispose() {
      for (const kept of [...slots.flat(), ...anchors, ...added]) kept.dispose();
    },
  };
}

/** Gradients within the bounds that the optimizer sets. Call inside `tf.tidy`. */
function clipped(
  tf: typeof Tf,
  { clipGradientValue, clipGradientNorm, clipGradientGlobalNorm }: OptimizerSettings,
  gradients: readonly Tf.Tensor[],
): readonly Tf.Tensor[] {
  const shorten = (gradient: Tf.Tensor, squared: Tf.Tensor, length: number) =>
    gradient.mul(tf.div(length, tf.maximum(squared.sqrt(), length)));
  if (clipGradientValue !== undefined)
    return gradients.map((each) => each.clipByValue(-clipGradientValue, clipGradientValue));
  if (clipGradientNorm !== undefined)
    return gradients.map((each) => shorten(each, each.square().sum(), clipGradientNorm));
  if (clipGradientGlobalNorm === undefined) return gradients;
  const squared = tf.addN(gradients.map((each) => each.square().sum()));
  return gradients.map((each) => shorten(each, squared, clipGradientGlobalNorm));
}

const arithmetic = (tf: typeof Tf): Arithmetic<Tf.Tensor> => ({
  constant: (value) => tf.scalar(value),
  add: (a, b) => a.add(b),
  subtract: (a, b) => a.sub(b),
  multiply: (a, b) => a.mul(b),
  divide: (a, b) => a.div(b),
  larger: (a, b) => a.maximum(b),
  squareRoot: (a) => a.sqrt(),
  sign: (a) => a.sign(),
  absolute: (a) => a.abs(),
});
