/** A predict session on ONNX Runtime. */
import type { Model, PredictSession } from '../engine.js';
import { createInferenceSession } from './inference-session.js';
import { buildPredictGraph } from './predict-graph.js';
import { loadOnnxRuntime, type OnnxBackend } from './runtime.js';

/** Compiles `model` for prediction with batches of any size. */
export async function createPredictSession(
  model: Model,
  { threads, backend }: { readonly threads: number; readonly backend: OnnxBackend },
): Promise<PredictSession> {
  const runtime = await loadOnnxRuntime(backend, threads);
  const session = await createInferenceSession(buildPredictGraph(model), { runtime, threads });
  return {
    async predict(images, count) {
      const feed = new runtime.Tensor('float32', images, [count, ...model.description.inputShape]);
      const { probabilities } = await session.run({ images: feed });
      return probabilities?.data as Float32Array;
    },
    dispose: () => session.release(),
  };
}
