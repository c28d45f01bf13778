/** Loss, gradients and predictions of every layer agree with TensorFlow.js' cpu backend. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  activation,
  CLASSES,
  conv,
  dense,
  head,
  imageModel,
  normalisation,
  pool,
} from '../../../../test/layers.js';
import {
  assertClose,
  BEYOND_ORACLE,
  CASES,
  type GradientOptions,
  graphGradients,
  problem,
  TOLERANCE,
  usingGraph,
} from '../../../../test/onnx-gradients.js';
import { oracle } from '../../../../test/tfjs-oracle.js';
import type { Padding } from '../../../model/graph/window-geometry.js';
import type { Layer } from '../../../model/layers/registry.js';
import type { ModelDescription } from '../../../model/model-description.js';
import { SETTING_CASES } from '../../conformance/problems.js';
import { createOnnxPredictSession } from '../predict-session.js';
import { measureBlockSize } from '../probe-blocks.js';

describe('gradients', () => {
  for (const [name, description] of Object.entries(CASES)) {
    it(name, async () => {
      await compare(description, 5, {}, { knownBatch: true });
    });
  }

  for (const [name, description] of Object.entries({ ...BEYOND_ORACLE, ...CASES, ...SETTING_CASES })) {
    it(`${name}: slope of the loss`, async () => {
      const { weights, batch } = problem(description, 5);
      await usingGraph(description, batch, {}, async (gradientsAt) => {
        const { gradients } = await gradientsAt(weights);
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
          return (await gradientsAt(moved)).loss;
        };
        const slope = ((await along(1)) - (await along(-1))) / (2 * step);
        assert.ok(Math.abs(slope / norm - 1) < 0.01, `slope ${slope}, gradient's length ${norm}`);
      });
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
        const model = imageModel(
          [first, conv('b', { kernel, strides, padding }), ...head],
          [...size, channels],
        );
        await compare(model, batch, {}, { knownBatch: true });
      }),
      { numRuns: 25, seed: 7 },
    );
  });

  it('would notice a wrong gradient', async () => {
    const description = CASES['conv same'] as ModelDescription;
    const { weights, batch } = problem(description, 3);
    const expected = await oracle(description, weights, batch);
    const { gradients } = await graphGradients({ description, weights }, batch);
    assert.throws(() =>
      assertClose(
        gradients[0]?.map((each) => each * 1.001),
        expected.gradients[0],
        'kernel',
      ),
    );
  });
});

describe('gradients without pool indices', () => {
  for (const [name, description] of Object.entries(CASES).filter(([name]) => name.includes('max pool'))) {
    it(name, () => compare(description, 3, { withoutPoolIndices: true }));
  }

  it('of max pools of any geometry, with ties', async () => {
    const extent = (max: number) => fc.tuple(fc.integer({ min: 1, max }), fc.integer({ min: 1, max }));
    const geometry = fc.record({
      size: fc.tuple(fc.integer({ min: 4, max: 9 }), fc.integer({ min: 4, max: 9 })),
      window: extent(4),
      strides: extent(4),
      padding: fc.constantFrom<Padding>('valid', 'same'),
      channels: fc.integer({ min: 1, max: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(geometry, async ({ size, window, strides, padding, channels }) => {
        // After a relu many values of a window are 0 at once: the first takes the gradient, as indices say.
        const layers = [
          conv('a', { padding: 'same', activation: 'tanh' }),
          activation('r', 'relu'),
          activation('t', 'tanh'),
          pool('maxPooling2d', window, strides, padding),
          ...head,
        ];
        const description = imageModel(layers, [...size, channels]);
        const { weights, batch } = problem(description, 2);
        const model = { description, weights };
        const expected = await graphGradients(model, batch);
        const found = await graphGradients(model, batch, { withoutPoolIndices: true });
        for (const [index, gradient] of expected.gradients.entries()) {
          assertClose(found.gradients[index], gradient, weights[index]?.name ?? '');
        }
      }),
      { numRuns: 40, seed: 5 },
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
    'activations of every element': imageModel(
      [...deep({ activation: 'elu' }, { activation: 'swish' }), ...head],
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
  for (const [name, description] of Object.entries(cases))
    it(name, () => compare(description, 3, { blockSize: b }));

  it('of any geometry', async () => {
    const extent = (max: number) => fc.tuple(fc.integer({ min: 1, max }), fc.integer({ min: 1, max }));
    const geometry = fc.record({
      size: fc.tuple(fc.integer({ min: 5, max: 8 }), fc.integer({ min: 5, max: 8 })),
      first: fc.record({ kernel: extent(3), padding: fc.constantFrom<Padding>('valid', 'same') }),
      second: fc.record({ kernel: extent(3), padding: fc.constantFrom<Padding>('valid', 'same') }),
    });
    await fc.assert(
      fc.asyncProperty(geometry, ({ size, first, second }) =>
        compare(imageModel([...deep(first, second), ...head], [...size, 1]), 2, { blockSize: b }),
      ),
      { numRuns: 12, seed: 3 },
    );
  });
});

/** The oracle's loss, gradients and predictions, and those of the graph that each of the `options` gives. */
async function compare(
  description: ModelDescription,
  batchSize: number,
  ...options: readonly GradientOptions[]
): Promise<void> {
  const { weights, batch } = problem(description, batchSize);
  const expected = await oracle(description, weights, batch);
  for (const each of options) {
    const found = await graphGradients({ description, weights }, batch, each);
    assert.ok(
      Math.abs(found.loss - expected.loss) < TOLERANCE,
      `loss ${found.loss}, expected ${expected.loss}`,
    );
    for (const [index, gradient] of expected.gradients.entries()) {
      if (gradient !== undefined) assertClose(found.gradients[index], gradient, weights[index]?.name ?? '');
    }
  }
  const predictor = await createOnnxPredictSession({ description, weights }, { threads: 1, backend: 'cpu' });
  const [probabilities] = await predictor.predict(batch.inputs, batchSize);
  assertClose(probabilities, expected.probabilities, 'probabilities');
  await predictor.dispose();
}
