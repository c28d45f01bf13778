/** A predict session on ONNX Runtime. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Model, PredictSession } from '../engine.js';
import { buildPredictGraph } from './predict-graph.js';
import { sessionOptions } from './session-options.js';

/** Compiles `model` for prediction with batches of any size. */
export async function createPredictSession(
  model: Model,
  { threads }: { readonly threads: number },
): Promise<PredictSession> {
  const session = await InferenceSession.create(buildPredictGraph(model), sessionOptions(threads));
  return {
    async predict(images, count) {
      const feed = new Tensor('float32', images, [count, ...model.description.inputShape]);
      const { probabilities } = await session.run({ images: feed });
      return probabilities?.data as Float32Array;
    },
    dispose: () => session.release(),
  };
}
