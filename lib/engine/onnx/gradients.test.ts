/** Loss, gradients and predictions of every layer agree with TensorFlow.js' cpu backend. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Tensor } from 'onnxruntime-node';
import { oracle } from '../../../test/tfjs-oracle.js';
import { randomStream } from '../../federation/random.js';
import { sizeOf, type Weights } from '../../federation/weights.js';
import type { Batch } from '../engine.js';
import { initialWeights } from '../initial-weights.js';
import type { Activation, Extent, Layer, ModelDescription, Padding } from '../model-description.js';
import { shapeLayers } from '../parameters.js';
import { measureBlockSize } from './blocked/probe.js';
import { createInferenceSession } from './inference-session.js';
import { createPredictSession } from './predict-session.js';
import { buildTrainingGraph } from './training-graph.js';

const TOLERANCE = 1e-4;
const CLASSES = 4;

const conv = (name: string, given: Partial<Extract<Layer, { kind: 'conv2d' }>> = {}): Layer => ({
  kind: 'conv2d',
  name,
  filters: 3,
  kernel: [3, 3],
  strides: [1, 1],
  padding: 'valid',
  useBias: true,
  activation: 'linear',
  ...given,
});
const pool = (
  kind: 'maxPooling2d' | 'averagePooling2d',
  size: Extent,
  strides: Extent,
  padding: Padding,
): Layer => ({
  kind,
  name: 'pool',
  pool: size,
  strides,
  padding,
});
const dense = (name: string, units: number, activation: Activation = 'linear', useBias = true): Layer => ({
  kind: 'dense',
  name,
  units,
  useBias,
  activation,
});
const head: readonly Layer[] = [{ kind: 'flatten', name: 'flatten' }, dense('head', CLASSES, 'softmax')];
const activation = (name: string, kind: Activation): Layer => ({
  kind: 'activation',
  name,
  activation: kind,
});
const normalisation = (
  name: string,
  given: { readonly scale?: boolean; readonly center?: boolean } = {},
): Layer => ({
  kind: 'batchNormalization',
  name,
  momentum: 0.9,
  epsilon: 1e-3,
  center: true,
  scale: true,
  ...given,
});

const imageModel = (
  layers: readonly Layer[],
  inputShape: readonly number[] = [9, 8, 2],
): ModelDescription => ({
  name: 'test',
  inputShape,
  layers,
});

const CASES: Readonly<Record<string, ModelDescription>> = {
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
const BEYOND_ORACLE: Readonly<Record<string, ModelDescription>> = {
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

describe('gradients', () => {
  for (const [name, description] of Object.entries(CASES)) {
    it(name, async () => {
      await compare(description, 5);
    });
  }

  for (const [name, description] of Object.entries({ ...BEYOND_ORACLE, ...CASES })) {
    it(`${name}: slope of the loss`, async () => {
      const { weights, batch } = problem(description, 5);
      const { gradients } = await ours(description, weights, batch);
      // The loss along the gradient itself rises by its squared length: a central difference sees that.
      const norm = Math.hypot(...gradients.flatMap((each) => [...each]));
      const step = 3e-3;
      const along = async (sign: number) => {
        const moved = weights.map((array, index) => ({
          ...array,
          values: array.values.map(
            (value, at) => value + (sign * step * (gradients[index]?.[at] as number)) / norm,
          ),
        }));
        return (await ours(description, moved, batch)).loss;
      };
      const slope = ((await along(1)) - (await along(-1))) / (2 * step);
      assert.ok(Math.abs(slope / norm - 1) < 0.01, `slope ${slope}, gradient's length ${norm}`);
    });
  }

  it('of convolutions of any geometry', async () => {
    const extent = (max: number) => fc.tuple(fc.integer({ min: 1, max }), fc.integer({ min: 1, max }));
    const geometry = fc.record({
      size: fc.tuple(fc.integer({ min: 4, max: 9 }), fc.integer({ min: 4, max: 9 })),
      channels: fc.integer({ min: 1, max: 3 }),
      kernel: extent(4),
      strides: extent(3),
      padding: fc.constantFrom<Padding>('valid', 'same'),
      batch: fc.integer({ min: 1, max: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(geometry, async ({ size, channels, kernel, strides, padding, batch }) => {
        const first = conv('a', { padding: 'same', filters: 2 });
        await compare(
          imageModel([first, conv('b', { kernel, strides, padding }), ...head], [...size, channels]),
          batch,
        );
      }),
      { numRuns: 25, seed: 7 },
    );
  });

  it('would notice a wrong gradient', async () => {
    const description = CASES['conv same'] as ModelDescription;
    const { weights, batch } = problem(description, 3);
    const expected = await oracle(description, weights, batch);
    const { gradients } = await ours(description, weights, batch);
    assert.throws(() =>
      assertClose(
        gradients[0]?.map((each) => each * 1.001),
        expected.gradients[0],
        'kernel',
      ),
    );
  });
});

/** The block of this processor, or undefined where the runtime has none. */
const blockSize = await measureBlockSize().catch(() => undefined);

describe('gradients on blocked images', {
  skip: blockSize === undefined && 'this processor has no blocked layout',
}, () => {
  const b = blockSize ?? 1;
  const tile = pool('maxPooling2d', [2, 2], [2, 2], 'valid');
  const deep = (
    first: Partial<Extract<Layer, { kind: 'conv2d' }>>,
    second: Partial<Extract<Layer, { kind: 'conv2d' }>>,
  ) => [
    conv('a', { filters: b, activation: 'relu', ...first }),
    conv('b', { filters: 2 * b, activation: 'relu', ...second }),
  ];
  const cases: Readonly<Record<string, ModelDescription>> = {
    'conv on conv': imageModel([...deep({}, {}), ...head], [8, 7, 1]),
    'without activation or bias': imageModel(
      [...deep({ activation: 'linear' }, { activation: 'tanh', useBias: false }), ...head],
      [8, 7, 1],
    ),
    'a max pool that tiles, behind a relu': imageModel([...deep({}, {}), tile, ...head], [8, 10, 1]),
    'a max pool of 3×2, then another conv': imageModel(
      [
        conv('a', { filters: b, padding: 'same' }),
        pool('maxPooling2d', [3, 2], [3, 2], 'valid'),
        conv('b', { filters: b, kernel: [2, 2] }),
        ...head,
      ],
      [9, 8, 1],
    ),
    'a max pool that overlaps': imageModel(
      [conv('a', { filters: b }), pool('maxPooling2d', [3, 3], [2, 2], 'valid'), ...head],
      [9, 9, 1],
    ),
    'several channels in': imageModel([...deep({}, {}), ...head], [7, 7, 3]),
    'a whole block in': imageModel([conv('a', { filters: b }), ...head], [5, 5, b]),
    'a stride, and a conv that is no multiple': imageModel(
      [...deep({ padding: 'same' }, { strides: [2, 2] }), conv('c', { filters: 5, kernel: [2, 2] }), ...head],
      [9, 9, 1],
    ),
    'batch normalisation between': imageModel(
      [
        conv('a', { filters: b }),
        normalisation('bn'),
        activation('r', 'relu'),
        conv('b', { filters: b }),
        ...head,
      ],
      [7, 7, 1],
    ),
    'global and average pools': imageModel(
      [
        ...deep({}, { padding: 'same' }),
        pool('averagePooling2d', [2, 2], [2, 2], 'valid'),
        { kind: 'globalAveragePooling2d', name: 'gap' },
        dense('d', CLASSES, 'softmax'),
      ],
      [8, 8, 1],
    ),
  };
  for (const [name, description] of Object.entries(cases)) it(name, () => compare(description, 3, b));

  it('of any geometry', async () => {
    const extent = (max: number) => fc.tuple(fc.integer({ min: 1, max }), fc.integer({ min: 1, max }));
    const geometry = fc.record({
      size: fc.tuple(fc.integer({ min: 5, max: 8 }), fc.integer({ min: 5, max: 8 })),
      first: fc.record({ kernel: extent(3), padding: fc.constantFrom<Padding>('valid', 'same') }),
      second: fc.record({ kernel: extent(3), padding: fc.constantFrom<Padding>('valid', 'same') }),
    });
    await fc.assert(
      fc.asyncProperty(geometry, ({ size, first, second }) =>
        compare(imageModel([...deep(first, second), ...head], [...size, 1]), 2, b),
      ),
      { numRuns: 12, seed: 3 },
    );
  });
});

async function compare(description: ModelDescription, batchSize: number, blockSize?: number): Promise<void> {
  const { weights, batch } = problem(description, batchSize);
  const expected = await oracle(description, weights, batch);
  const found = await ours(description, weights, batch, blockSize);
  assert.ok(
    Math.abs(found.loss - expected.loss) < TOLERANCE,
    `loss ${found.loss}, expected ${expected.loss}`,
  );
  for (const [index, gradient] of expected.gradients.entries()) {
    if (gradient !== undefined) assertClose(found.gradients[index], gradient, weights[index]?.name ?? '');
  }
  const predictor = await createPredictSession({ description, weights }, { threads: 1 });
  assertClose(await predictor.predict(batch.images, batchSize), expected.probabilities, 'probabilities');
  await predictor.dispose();
}

/** Weights that are nowhere 0 (biases start there) and a random batch. */
function problem(description: ModelDescription, batchSize: number): { weights: Weights; batch: Batch } {
  const random = randomStream(11, description.layers.map(({ name }) => name).join());
  const weights = initialWeights(description, 3).map((array) => ({
    ...array,
    values: array.values.map((value) =>
      value === 0 ? random.uniform() - 0.5 : value * (0.75 + random.uniform() / 2),
    ),
  }));
  const images = Float32Array.from({ length: batchSize * sizeOf(description.inputShape) }, () =>
    random.normal(),
  );
  const classes = shapeLayers(description).at(-1)?.outputShape[0] as number;
  const labels = Int32Array.from({ length: batchSize }, () => random.integer(0, classes - 1));
  return { weights, batch: { images, labels } };
}

/** Our gradients by weight index, straight out of the training graph. */
async function ours(
  description: ModelDescription,
  weights: Weights,
  { images, labels }: Batch,
  blockSize?: number,
) {
  const optimizer = { kind: 'sgd', learningRate: 0, momentum: 0 } as const;
  const graph = buildTrainingGraph(description, { optimizer, withGradients: true, blockSize });
  const session = await createInferenceSession(graph.bytes, { threads: 1 });
  const flat = Float32Array.from(weights.flatMap(({ values }) => [...values]));
  const outputs = await session.run({
    images: new Tensor('float32', images, [labels.length, ...description.inputShape]),
    labels: new Tensor('int32', labels, [labels.length]),
    weights: new Tensor('float32', flat, [graph.size]),
    stepSize: new Tensor('float32', Float32Array.of(0), [1]),
    exampleWeight: new Tensor('float32', Float32Array.of(1 / labels.length), [1]),
  });
  const floats = (name: string) => (outputs[name] as Tensor).data as Float32Array;
  let offset = 0;
  return {
    loss: floats('loss')[0] as number,
    gradients: weights.map(({ values }) => {
      offset += values.length;
      return floats('gradients').slice(offset - values.length, offset);
    }),
  };
}

/** Relative to the largest element: single elements may cancel to nearly 0. */
function assertClose(
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
