/** A predict session on ONNX Runtime. */
import { releaseMemory } from '../../core/memory.js';
import { sizeOf } from '../../core/weights.js';
import type { Model } from '../../model/model-description.js';
import { activationCount, outputShapes } from '../../model/parameters.js';
import type { PredictSession } from '../engine.js';
import { isDevice, type OnnxBackend } from './backends.js';
import { encodeOnnxModel } from './graphs/onnx-model.js';
import { predictGraph } from './graphs/predict-graph.js';
import { createInferenceSession, loadOnnxRuntime, type Tensor } from './runtime.js';

/**
 * Elements of all layers' outputs in one run on the processor, 8 MB: a batch runs in parts that stay in its cache. 100
 * images of the CNN at once were no faster and held 30 MB more on each thread.
 */
const MAX_ACTIVATIONS = 2 ** 21;

/** Compiles `model` for prediction with batches of any size. */
export async function createOnnxPredictSession(
  model: Model,
  { threads, backend }: { readonly threads: number; readonly backend: OnnxBackend },
): Promise<PredictSession> {
  const runtime = await loadOnnxRuntime(backend, threads);
  const bytes = encodeOnnxModel(predictGraph(model));
  const session = await createInferenceSession(bytes, { runtime, threads });
  releaseMemory(bytes);
  const { description } = model;
  const sizes = outputShapes(description).map(sizeOf);
  const elements = activationCount(description);
  const largest = isDevice(backend)
    ? Number.POSITIVE_INFINITY
    : Math.max(1, Math.floor(MAX_ACTIVATIONS / elements));
  const run = async (inputs: readonly Float32Array[], from: number, to: number) => {
    const feeds = description.inputs.map(({ name, shape }, at) => {
      const [values, size] = [inputs[at], sizeOf(shape)];
      if (values === undefined) throw new RangeError(`a prediction without input ${name}`);
      const own = values.subarray(from * size, to * size);
      return [`input/${at}`, new runtime.Tensor('float32', own, [to - from, ...shape])] as const;
    });
    const outputs = await session.run(Object.fromEntries(feeds));
    return sizes.map((_, at) => (outputs[`output/${at}`] as Tensor).data as Float32Array);
  };
  return {
    async predict(inputs, count) {
      if (count <= largest) return run(inputs, 0, count);
      const all = sizes.map((size) => new Float32Array(count * size));
      for (let from = 0; from < count; from += largest) {
        const parts = await run(inputs, from, Math.min(count, from + largest));
        for (const [at, part] of parts.entries()) all[at]?.set(part, from * (sizes[at] as number));
      }
      return all;
    },
    dispose: () => session.release(),
  };
}
