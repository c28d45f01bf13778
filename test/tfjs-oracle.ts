/** TensorFlow.js' pure JavaScript backend as the oracle for forward passes and gradients. */
import * as tf from '@tensorflow/tfjs';
import type { Weights } from '../lib/core/weights.js';
import type { Batch } from '../lib/engine/engine.js';
import { kerasConfig } from '../lib/model/keras/keras-model.js';
import type { ModelDescription } from '../lib/model/model-description.js';
import { inputShape, modelParameters } from '../lib/model/parameters.js';

/** What the oracle found for one batch. */
interface OracleResult {
  readonly loss: number;
  /** Gradient of each trainable array by weight index; undefined for moving statistics. */
  readonly gradients: readonly (Float32Array | undefined)[];
  /** `[n, classes]` in inference mode. */
  readonly probabilities: Float32Array;
}

/** Loss, gradients and predictions of a model through tf.layers, from the same config, weights and batch. */
export async function oracle(
  description: ModelDescription,
  weights: Weights,
  batch: Batch,
): Promise<OracleResult> {
  // Else it greets on stderr.
  tf.enableProdMode();
  await tf.setBackend('cpu');
  const config = { modelTopology: kerasConfig(description) } as Parameters<typeof tf.models.modelFromJSON>[0];
  const model = await tf.models.modelFromJSON(config);
  const result = tf.tidy(() => {
    // tf.layers lists all trainable arrays first; ours follow the layers, as Keras' files do.
    const variables = model.layers.flatMap((layer) => layer.weights);
    for (const [index, variable] of variables.entries()) {
      const array = weights[index];
      if (array === undefined)
        throw new Error(`the oracle has more weights than the model: ${variable.name}`);
      variable.write(tf.tensor(array.values, [...array.shape]));
    }
    const images = tf.tensor(batch.inputs[0] as Float32Array, [batch.count, ...inputShape(description)]);
    const labels = tf.oneHot(tf.tensor1d(batch.targets[0] as Int32Array, 'int32'), outputSize(model));
    // Before training mode is applied: that moves the moving statistics.
    const probabilities = (model.predict(images) as tf.Tensor).dataSync() as Float32Array;
    const loss = () => {
      const predicted = model.apply(images, { training: true }) as tf.Tensor2D;
      return tf.neg(tf.sum(tf.mul(labels, tf.log(predicted)))).div(batch.count) as tf.Scalar;
    };
    const trainable = modelParameters(description).map(({ trainable: each }) => each);
    const inner = variables.map((variable) => variable.read() as tf.Variable);
    const { value, grads } = tf.variableGrads(
      loss,
      inner.filter((_, index) => trainable[index]),
    );
    return {
      loss: value.dataSync()[0] as number,
      gradients: inner.map((variable, index) =>
        trainable[index] ? (grads[variable.name]?.dataSync() as Float32Array) : undefined,
      ),
      probabilities,
    };
  });
  model.dispose();
  return result;
}

function outputSize(model: tf.LayersModel): number {
  return model.outputShape.at(-1) as number;
}
