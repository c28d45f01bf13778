/** What TensorFlow.js keeps, on whichever backend: it counts for all of a thread together. */
import * as tf from '@tensorflow/tfjs';

/** Tensors and bytes that are alive now. */
export function countTensors(): Readonly<Record<string, number>> {
  const { numTensors, numBytes } = tf.memory();
  return { numTensors, numBytes };
}
