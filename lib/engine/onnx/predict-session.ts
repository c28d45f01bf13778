/** A predict session on ONNX Runtime. */

import { sizeOf } from '../../core/weights.js';
import type { Model } from '../../model/model-description.js';
import { activationCount, maskedOutputs, outputShapes } from '../../model/parameters.js';
import { releaseMemory } from '../../system/memory.js';
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
  const shapes = outputShapes(description);
  const isMasked = maskedOutputs(description);
  const answers = shapes.map((shape, at) => ({ name: `output/${at}`, size: sizeOf(shape) }));
  const masks = shapes.flatMap(([steps = 0], at) =>
    isMasked[at] ? { name: `counted/${at}`, size: steps } : [],
  );
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
    return session.run(Object.fromEntries(feeds));
  };
  const runAll = async (
    inputs: readonly Float32Array[],
    count: number,
    wanted: readonly { readonly name: string; readonly size: number }[],
  ) => {
    const valuesIn = (outputs: Awaited<ReturnType<typeof run>>) =>
      wanted.map(({ name }) => (outputs[name] as Tensor).data as Float32Array);
    if (count <= largest) return valuesIn(await run(inputs, 0, count));
    const all = wanted.map(({ size }) => new Float32Array(count * size));
    for (let from = 0; from < count; from += largest) {
      const parts = valuesIn(await run(inputs, from, Math.min(count, from + largest)));
      for (const [at, part] of parts.entries()) all[at]?.set(part, from * (wanted[at]?.size ?? 0));
    }
    return all;
  };
  const predictCounted: PredictSession['predictCounted'] = async (inputs, count) => {
    const wanted = [...answers, ...masks];
    const found = await runAll(inputs, count, wanted);
    return answers.map((_, at) => ({
      answers: found[at] as Float32Array,
      counted: found[wanted.findIndex(({ name }) => name === `counted/${at}`)],
    }));
  };
  return {
    predict: (inputs, count) => runAll(inputs, count, answers),
    ...(masks.length === 0 ? {} : { predictCounted }),
    dispose: () => session.release(),
  };
}
