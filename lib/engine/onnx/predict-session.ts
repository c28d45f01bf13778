/** A predict session on ONNX Runtime, and its graph. */
import { sizeOf } from '../../core/weights.js';
import { GraphBuilder } from '../../model/graph/graph-builder.js';
import type { Model, ModelDescription } from '../../model/model-description.js';
import { planOperations } from '../../model/operations.js';
import { classCount, modelParameters, shapeLayers } from '../../model/parameters.js';
import { laidOut } from '../../model/primitives/layout.js';
import { BATCH_AXIS } from '../../model/primitives/value.js';
import type { PredictSession } from '../engine.js';
import { isDevice, type OnnxBackend } from './backends.js';
import { buildNetwork } from './graphs/network.js';
import { encodeOnnxModel } from './graphs/onnx-model.js';
import { BATCH } from './graphs/training-graph.js';
import { createInferenceSession } from './inference-session.js';
import { loadOnnxRuntime, type Tensor } from './runtime.js';

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
  const session = await createInferenceSession(buildPredictGraph(model), { runtime, threads });
  const { inputShape } = model.description;
  const largest = isDevice(backend) ? Number.POSITIVE_INFINITY : examplesPerRun(model.description);
  const run = async (images: Float32Array, count: number): Promise<Float32Array> => {
    const feed = new runtime.Tensor('float32', images, [count, ...inputShape]);
    const { probabilities } = await session.run({ images: feed });
    return (probabilities as Tensor).data as Float32Array;
  };
  return {
    async predict([images], count) {
      if (images === undefined) throw new RangeError('a prediction without input');
      if (count <= largest) return [await run(images, count)];
      const [size, classes] = [sizeOf(inputShape), classCount(model.description)];
      const all = new Float32Array(count * classes);
      for (let from = 0; from < count; from += largest) {
        const to = Math.min(count, from + largest);
        all.set(await run(images.subarray(from * size, to * size), to - from), from * classes);
      }
      return [all];
    },
    dispose: () => session.release(),
  };
}

function examplesPerRun(description: ModelDescription): number {
  const elements = shapeLayers(description).reduce((sum, { outputShape }) => sum + sizeOf(outputShape), 0);
  return Math.max(1, Math.floor(MAX_ACTIVATIONS / elements));
}

/** Compiles a prediction: `images` [batch, h, w, c] to `probabilities` [batch, classes]. */
export function buildPredictGraph({ description, weights }: Model): Uint8Array {
  const graph = new GraphBuilder();
  const images = graph.input('images', 'float32', [BATCH, ...description.inputShape]);
  const input = { graph, tensor: images, shape: [BATCH_AXIS, ...description.inputShape] };
  const { output } = buildNetwork(input, {
    training: false,
    batchSize: undefined,
    blockSize: undefined,
    withoutPoolIndices: false,
    operations: planOperations(description),
    parameters: modelParameters(description).map((each, index) => {
      const values = weights[index]?.values ?? new Float32Array(0);
      const { shape } = each;
      return { ...each, value: { graph, tensor: graph.constant(values, shape), shape } };
    }),
    rowSeeds: () => {
      throw new Error('prediction draws no random numbers');
    },
  });
  graph.output('probabilities', laidOut(output).tensor, {
    type: 'float32',
    shape: [BATCH, classCount(description)],
  });
  return encodeOnnxModel(graph.build());
}
