/** A predict session on ONNX Runtime. */
import { Tensor } from 'onnxruntime-node';
import type { Model, PredictSession } from '../engine.js';
import { createInferenceSession } from './inference-session.js';
import { buildPredictGraph } from './predict-graph.js';

/** Compiles `model` for prediction with batches of any size. */
export async function createPredictSession(
  model: Model,
  settings: { readonly threads: number },
): Promise<PredictSession> {
  const session = await createInferenceSession(buildPredictGraph(model), settings);
  return {
    async predict(images, count) {
      const feed = new Tensor('float32', images, [count, ...model.description.inputShape]);
      const { probabilities } = await session.run({ images: feed });
      return probabilities?.data as Float32Array;
    },
    dispose: () => session.release(),
  };
}
