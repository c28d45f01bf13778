/** Losses as TensorFlow.js computes them, for its own gradients. */
import type * as Tf from '@tensorflow/tfjs';
import type { LossName, LossSettings, OutputLoss } from '../../federation/loss.js';
import { lossModule } from '../../model/tasks/losses.js';
import type { Batch } from '../engine.js';

type TensorFlow = typeof Tf;

/** What a loss is computed from. */
interface LossTerms {
  readonly settings: LossSettings;
  /** `[n, outputs]`; logits for a cross-entropy. */
  readonly output: Tf.Tensor2D;
  /** `[n, outputs]`: one-hot for labels. */
  readonly target: Tf.Tensor;
}

/** Of each output, `[n, outputs]`; its mean over the outputs is the loss of an example, but a cross-entropy is the sum. */
const LOSSES: Readonly<Record<LossName, (tf: TensorFlow, terms: LossTerms) => Tf.Tensor>> = {
  categorical_crossentropy(tf, { output, target, settings: { labelSmoothing = 0 } }) {
    const classes = output.shape[1];
    const expected = tf.add(tf.mul(target, 1 - labelSmoothing), labelSmoothing / classes);
    return tf.mul(tf.mul(expected, tf.logSoftmax(output)), -classes);
  },
  binary_crossentropy(tf, { output, target, settings: { labelSmoothing = 0 } }) {
    const expected = tf.add(tf.mul(target, 1 - labelSmoothing), labelSmoothing / 2);
    return tf.sub(tf.softplus(output), tf.mul(output, expected));
  },
  mse: (tf, { output, target }) => tf.square(tf.sub(output, target)),
  mae: (tf, { output, target }) => tf.abs(tf.sub(output, target)),
  huber(tf, { output, target, settings: { delta = 1 } }) {
    const distance = tf.abs(tf.sub(output, target));
    const near = tf.minimum(distance, delta);
    return tf.mul(near, tf.sub(distance, tf.mul(near, 0.5)));
  },
  poisson: (tf, { output, target }) => tf.sub(output, tf.mul(target, tf.log(tf.add(output, 1e-7)))),
  log_cosh(tf, { output, target }) {
    const error = tf.sub(output, target);
    return tf.sub(tf.add(error, tf.softplus(tf.mul(error, -2))), Math.LN2);
  },
  msle(tf, { output, target }) {
    const logarithm = (value: Tf.Tensor) => tf.log1p(tf.maximum(value, 1e-7));
    return tf.square(tf.sub(logarithm(output), logarithm(target)));
  },
};

/** Mean loss of a batch, times its weight, and how many of its examples are answered rightly where that can be said. */
export function batchLoss(
  tf: TensorFlow,
  output: Tf.Tensor2D,
  { batch, settings }: { readonly batch: Batch; readonly settings: OutputLoss },
): { readonly loss: Tf.Scalar; readonly correct: Tf.Tensor | undefined } {
  const { count, targets, exampleWeights } = batch;
  const outputs = output.shape[1];
  const [given] = targets;
  const labels = given instanceof Int32Array ? tf.tensor1d(given, 'int32') : undefined;
  const target = labels ? tf.oneHot(labels, outputs) : tf.tensor2d(given as Float32Array, [count, outputs]);
  const each = tf.div(LOSSES[settings.name](tf, { settings, output, target }), outputs);
  const weighted = exampleWeights ? tf.mul(each, tf.tensor2d(exampleWeights, [count, 1])) : each;
  const loss = tf.div(tf.mul(tf.sum(weighted), settings.weight ?? 1), count) as Tf.Scalar;
  if (lossModule(settings).logitsOf === undefined) return { loss, correct: undefined };
  if (labels !== undefined) return { loss, correct: tf.equal(tf.argMax(output, -1), labels).sum() };
  const right = tf.equal(tf.greater(output, 0), tf.greater(target, 0.5));
  return { loss, correct: tf.div(tf.sum(right), outputs) };
}
