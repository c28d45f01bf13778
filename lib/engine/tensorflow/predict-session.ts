/** A predict session on TensorFlow.js. */
import type * as Tf from '@tensorflow/tfjs';
import type { Model } from '../../model/model-description.js';
import type { PredictSession } from '../engine.js';
import { buildLayersModel, imageTensor } from './layers-model.js';
import type { TensorflowRuntime } from './runtime.js';

/** Builds `model` for prediction with batches of any size. @throws {ModelError} where it cannot be built */
export async function createTensorflowPredictSession(
  { tf, use }: TensorflowRuntime,
  { description, weights }: Model,
): Promise<PredictSession> {
  await use();
  const layers = await buildLayersModel(tf, description, { weights });
  return {
    async predict(images, count) {
      await use();
      const probabilities = tf.tidy(() => {
        const batch = imageTensor(tf, images, { model: layers.model, count });
        return layers.model.apply(batch, { training: false }) as Tf.Tensor;
      });
      const values = Float32Array.from(await probabilities.data());
      probabilities.dispose();
      return values;
    },
    async dispose() {
      await use();
      layers.dispose();
    },
  };
}
