/** Small models of every layer and geometry, and their gradients straight out of the training graph. */
import assert from 'node:assert/strict';
import { randomStream } from '../lib/core/random.js';
import { sizeOf, type Weights } from '../lib/core/weights.js';
import type { Batch } from '../lib/engine/engine.js';
import type { OnnxBackend } from '../lib/engine/onnx/backends.js';
import { partsOf, tensorName, weightFeeds } from '../lib/engine/onnx/graphs/parameter-groups.js';
import { batchFeeds, buildTrainingGraph } from '../lib/engine/onnx/graphs/training-graph.js';
import { createInferenceSession, loadOnnxRuntime, type Tensor } from '../lib/engine/onnx/runtime.js';
import type { Model, ModelDescription } from '../lib/model/model-description.js';
import { initialWeights, inputBound, outputShapes } from '../lib/model/parameters.js';
import { activation, CLASSES, conv, dense, head, imageModel, normalisation, pool } from './layers.js';

/** Largest difference, relative to the largest element. */
export const TOLERANCE = 1e-4;

/** Where a graph runs, and which variant of it. */
export interface GradientOptions {
  readonly backend?: OnnxBackend;
  readonly threads?: number;
  readonly blockSize?: number | undefined;
  readonly withoutPoolIndices?: boolean;
  /** Compile for the number of examples in the batch. */
  readonly knownBatch?: boolean;
}

/** Models whose gradients TensorFlow.js can tell. */
export const CASES: Readonly<Record<string, ModelDescription>> = {
  'dense with relu, sigmoid, tanh and no bias': imageModel(
    [
      dense('a', 7, 'relu'),
      dense('b', 6, 'sigmoid'),
      dense('c', 5, 'tanh', false),
      dense('d', CLASSES, 'softmax'),
    ],
    [11],
  ),
  'softmax in the middle': imageModel([dense('a', 7, 'softmax'), dense('b', CLASSES, 'softmax')], [6]),
  'softmax as a layer of its own': imageModel([dense('a', CLASSES), activation('softmax', 'softmax')], [6]),
  'flatten of several channels': imageModel(head),
  'one channel in': imageModel([conv('a'), ...head], [7, 6, 1]),
  'conv on conv with relu': imageModel([
    conv('a', { activation: 'relu' }),
    conv('b', { activation: 'relu', filters: 5 }),
    ...head,
  ]),
  'conv same': imageModel([
    conv('a', { padding: 'same' }),
    conv('b', { padding: 'same', kernel: [4, 2] }),
    ...head,
  ]),
  'conv stride 2 valid with uncovered pixels': imageModel(
    [conv('a'), conv('b', { strides: [2, 2], kernel: [2, 3] }), ...head],
    [10, 11, 2],
  ),
  'conv stride 2 same': imageModel(
    [conv('a', { padding: 'same' }), conv('b', { strides: [2, 3], padding: 'same' }), ...head],
    [10, 11, 2],
  ),
  'conv stride beyond the kernel': imageModel([
    conv('a', { padding: 'same' }),
    conv('b', { strides: [3, 3], kernel: [2, 1] }),
    ...head,
  ]),
  'conv without bias': imageModel([conv('a', { useBias: false }), ...head]),
  'relu before a max pool': imageModel([
    conv('a', { activation: 'relu' }),
    pool('maxPooling2d', [2, 2], [2, 2], 'valid'),
    ...head,
  ]),
  'max pool with overlap': imageModel([
    conv('a', { padding: 'same' }),
    pool('maxPooling2d', [3, 3], [2, 2], 'valid'),
    ...head,
  ]),
  'max pool same': imageModel(
    [conv('a', { padding: 'same' }), pool('maxPooling2d', [2, 3], [2, 3], 'same'), ...head],
    [9, 7, 1],
  ),
  'max pool same with overlap': imageModel([
    conv('a', { padding: 'same' }),
    pool('maxPooling2d', [3, 3], [1, 2], 'same'),
    ...head,
  ]),
  'average pool': imageModel([conv('a'), pool('averagePooling2d', [2, 2], [2, 2], 'valid'), ...head]),
  'average pool with overlap': imageModel([
    conv('a', { padding: 'same' }),
    pool('averagePooling2d', [3, 2], [2, 1], 'valid'),
    ...head,
  ]),
  'global average pool': imageModel([
    conv('a', { activation: 'tanh' }),
    { kind: 'globalAveragePooling2d', name: 'gap' },
    dense('b', CLASSES, 'softmax'),
  ]),
  'batch normalisation of images': imageModel([
    conv('a'),
    normalisation('bn'),
    activation('r', 'relu'),
    ...head,
  ]),
  'batch normalisation of features': imageModel(
    [dense('a', 6), normalisation('bn'), dense('b', CLASSES, 'softmax')],
    [5],
  ),
};

/** What TensorFlow.js cannot tell: its padded average-pool gradient counts the padding, its BatchNormalization needs beta and gamma. */
export const BEYOND_ORACLE: Readonly<Record<string, ModelDescription>> = {
  'average pool same': imageModel([
    conv('a', { padding: 'same' }),
    pool('averagePooling2d', [2, 3], [2, 2], 'same'),
    ...head,
  ]),
  'average pool same with overlap': imageModel([
    conv('a', { padding: 'same' }),
    pool('averagePooling2d', [3, 3], [2, 1], 'same'),
    ...head,
  ]),
  'leaky relu and exponential': imageModel(
    [dense('a', 6, 'leaky_relu'), dense('b', 5, 'exponential'), dense('c', CLASSES, 'softmax')],
    [5],
  ),
  'batch normalisation without gamma': imageModel(
    [dense('a', 6), normalisation('bn', { scale: false }), dense('b', CLASSES, 'softmax')],
    [5],
  ),
  'batch normalisation first, without beta': imageModel([
    normalisation('bn', { center: false }),
    conv('a', { activation: 'tanh' }),
    ...head,
  ]),
};

/** Weights that are nowhere 0 (biases start there) and a random batch. */
export function problem(
  description: ModelDescription,
  batchSize: number,
): { readonly weights: Weights; readonly batch: Batch } {
  const random = randomStream(11, description.layers.map(({ name }) => name).join());
  const weights = initialWeights(description, 3).map((array) => ({
    ...array,
    values: array.values.map((value) =>
      value === 0 ? random.uniform() - 0.5 : value * (0.75 + random.uniform() / 2),
    ),
  }));
  const inputs = description.inputs.map(({ name, shape }) => {
    const below = inputBound(description, name);
    return Float32Array.from({ length: batchSize * sizeOf(shape) }, () =>
      below === undefined ? random.normal() : random.integer(0, below - 1),
    );
  });
  const targets = outputShapes(description).map(([classes = 0]) =>
    Int32Array.from({ length: batchSize }, () => random.integer(0, classes - 1)),
  );
  return { weights, batch: { count: batchSize, inputs, targets } };
}

/** What a training graph says of a batch: its loss, and the gradients by weight index. */
interface GraphResult {
  readonly loss: number;
  readonly gradients: readonly Float32Array[];
}

/** Loss and gradients by weight index, straight out of the training graph on a backend; two batches may be compared. */
export async function graphGradients(
  { description, weights }: Model,
  batch: Batch,
  options: GradientOptions = {},
): Promise<GraphResult> {
  return usingGraph(description, batch, options, (gradientsAt) => gradientsAt(weights));
}

/** Lets `use` ask one training graph for the loss and the gradients of a batch at several weights. */
export async function usingGraph<T>(
  description: ModelDescription,
  batch: Batch,
  { backend = 'cpu', threads = 1, knownBatch = false, ...given }: GradientOptions,
  use: (gradientsAt: (weights: Weights) => Promise<GraphResult>) => Promise<T>,
): Promise<T> {
  const optimizer = { kind: 'sgd', learningRate: 0, momentum: 0 } as const;
  const graph = buildTrainingGraph(description, {
    optimizer,
    withGradients: true,
    batchSize: knownBatch ? batch.count : undefined,
    ...given,
  });
  const runtime = await loadOnnxRuntime(backend, threads);
  const { Tensor } = runtime;
  const session = await createInferenceSession(graph.bytes, { runtime, threads });
  try {
    return await use(async (weights) => {
      const random = randomStream(5, 'rows');
      const [feeds] = batchFeeds(batch, {
        Tensor,
        description,
        graph,
        largest: batch.count,
        random: graph.usesRowSeeds ? random : undefined,
      });
      const outputs = await session.run({
        ...feeds,
        ...weightFeeds(Tensor, graph.groups, weights),
        stepSize: new Tensor('float32', Float32Array.of(0), [1]),
      });
      const floats = (name: string) => outputs[name]?.data as Float32Array;
      const trained = graph.groups.filter(({ isTrained }) => isTrained);
      const parts = partsOf(
        trained,
        trained.map((group) => outputs[tensorName('gradients', group)] as Tensor),
      );
      return {
        loss: floats('loss')[0] as number,
        gradients: weights.map(({ values }, index) => parts.get(index) ?? new Float32Array(values.length)),
      };
    });
  } finally {
    await session.release();
  }
}

/** Relative to the largest element: single elements may cancel to nearly 0. */
export function assertClose(
  found: Float32Array | undefined,
  expected: Float32Array | undefined,
  what: string,
): void {
  assert.ok(found && expected, `${what} is there`);
  assert.equal(found.length, expected.length, what);
  const scale = Math.max(1e-2, ...expected.map(Math.abs));
  for (const [index, value] of expected.entries()) {
    const difference = Math.abs((found[index] as number) - value) / scale;
    assert.ok(difference < TOLERANCE, `${what}[${index}]: ${found[index]}, expected ${value}`);
  }
}
