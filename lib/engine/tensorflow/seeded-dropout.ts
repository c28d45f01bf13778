/** Dropout in a tf.layers model with our own masks: TensorFlow.js' cannot be repeated from a seed of each step. */
import type * as Tf from '@tensorflow/tfjs';
import type { Layer } from '../../model/model-description.js';
import { maskMaker } from '../dropout-mask.js';

/** The masks of a model: the same as the ONNX engine's, so that the two agree with dropout on too. */
export interface SeededDropout {
  /** Seeds of the examples of the next step; length n. */
  seed(rowSeeds: Uint32Array): void;
  /** Whether the model has any. */
  readonly isUsed: boolean;
}

/**
 * Takes over the Dropout layers of `model`.
 *
 * @param operations the model as planned for compilation: two dropouts that follow each other are one mask there
 */
export function seedDropout(
  tf: typeof Tf,
  model: Tf.LayersModel,
  operations: readonly Layer[],
): SeededDropout {
  let rowSeeds: Uint32Array = new Uint32Array(0);
  const layers = model.layers.filter((layer) => layer.getClassName() === 'Dropout');
  let isUsed = false;
  for (const layer of layers) {
    const salt = operations.findIndex(({ name }) => name === layer.name);
    const operation = operations[salt];
    const rate = operation?.kind === 'dropout' ? operation.rate : 0;
    isUsed ||= rate > 0;
    let makeMask: ((seeds: Uint32Array) => Float32Array) | undefined;
    layer.call = (inputs, { training }) => {
      const input = (Array.isArray(inputs) ? inputs[0] : inputs) as Tf.Tensor;
      if (training !== true || rate === 0) return input;
      makeMask ??= maskMaker({ rate, salt, shape: input.shape.slice(1) });
      return input.mul(tf.tensor(makeMask(rowSeeds), input.shape));
    };
  }
  return {
    isUsed,
    seed(seeds) {
      rowSeeds = seeds;
    },
  };
}
