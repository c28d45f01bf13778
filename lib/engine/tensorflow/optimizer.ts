/** Adam and SGD on tensors, with FedProx' term, step for step as the ONNX engine computes them. */
import type * as Tf from '@tensorflow/tfjs';
import type { OptimizerSettings, TrainingSettings } from '../engine.js';
import { optimizerSlots, stepSize } from '../onnx/graphs/optimizer-graph.js';

/** An optimizer with its state. */
interface TensorOptimizer {
  /** Updates `variables` from gradients of the same order. Call inside `tf.tidy`. */
  apply(gradients: readonly Tf.Tensor[]): void;
  /** Forgets all gradients, and goes on from the variables as they are now, with another learning rate and corrections. */
  restart(learningRate: number, corrections?: readonly Float32Array[]): void;
  dispose(): void;
}

/** How an optimizer starts. */
export interface OptimizerOptions extends Pick<TrainingSettings, 'optimizer' | 'proximal'> {
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
  const slots = variables.map((variable) =>
    optimizerSlots(settings).map(() =>
      tf.tidy(() => tf.variable(tf.zeros(variable.shape as number[]), false)),
    ),
  );
  const added = corrections.map((values, index) =>
    tf.tidy(() => tf.variable(tf.tensor(values.slice(), variables[index]?.shape as number[]), false)),
  );
  let steps = 0;
  return {
    apply(gradients) {
      steps++;
      const size = stepSize(settings, steps);
      for (const [index, variable] of variables.entries()) {
        const anchor = anchors[index];
        const correction = added[index];
        const raw = gradients[index] as Tf.Tensor;
        const slope = correction === undefined ? raw : raw.add(correction);
        const gradient = anchor === undefined ? slope : slope.add(variable.read().sub(anchor).mul(proximal));
        const next = nextValues(settings, {
          weight: variable.read(),
          gradient,
          slots: slots[index] ?? [],
          size,
        });
        variable.write(next.weight);
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
      for (const slot of slots.flat()) tf.tidy(() => slot.assign(tf.zerosLike(slot)));
      for (const [index, anchor] of anchors.entries()) {
        tf.tidy(() => anchor.assign((variables[index] as Tf.LayerVariable).read()));
      }
    },
    dispose() {
      for (const kept of [...slots.flat(), ...anchors, ...added]) kept.dispose();
    },
  };
}

interface Values {
  readonly weight: Tf.Tensor;
  readonly gradient: Tf.Tensor;
  readonly slots: readonly Tf.Tensor[];
  readonly size: number;
}

function nextValues(
  settings: OptimizerSettings,
  { weight, gradient, slots: [first, second], size }: Values,
): { readonly weight: Tf.Tensor; readonly slots: readonly Tf.Tensor[] } {
  if (settings.kind === 'adam' && first !== undefined && second !== undefined) {
    const mean = first.add(gradient.sub(first).mul(1 - settings.beta1));
    const variance = second.add(
      gradient
        .square()
        .sub(second)
        .mul(1 - settings.beta2),
    );
    const update = mean.mul(size).div(variance.sqrt().add(settings.epsilon));
    return { weight: weight.sub(update), slots: [mean, variance] };
  }
  const update = gradient.mul(size);
  if (settings.kind !== 'sgd' || first === undefined) return { weight: weight.sub(update), slots: [] };
  const velocity = first.mul(settings.momentum).sub(update);
  return { weight: weight.add(velocity), slots: [velocity] };
}
