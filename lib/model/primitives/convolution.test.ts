/** Convolutions of any shape, those that enlarge images, and what lies between pixels: gradients are slopes. */
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { assertSlopes, extent, ofOne, ofShapes, type Problem } from '../../../test/slopes.js';
import { windowGeometry } from '../graph/window-geometry.js';
import { convolve } from './convolution.js';
import { resizeBilinear } from './resizing.js';
import { convolveTransposed } from './transposed-convolution.js';
import { BATCH_AXIS, type Value } from './value.js';

const PLAIN = { batchSize: undefined, blockSize: undefined, followedByRelu: false };

/** A convolution of any shape: strides or a dilation, groups, padding, rows and columns that no window covers. */
const anyConvolution = fc
  .record({
    size: fc.tuple(fc.integer({ min: 4, max: 6 }), fc.integer({ min: 4, max: 6 })),
    kernel: fc.tuple(extent, fc.integer({ min: 1, max: 2 })),
    steps: fc.tuple(extent, fc.integer({ min: 1, max: 2 })),
    isDilated: fc.boolean(),
    padding: fc.constantFrom('same' as const, 'valid' as const),
    groups: fc.integer({ min: 1, max: 2 }),
    inGroup: fc.integer({ min: 1, max: 2 }),
    outOfGroup: fc.integer({ min: 1, max: 2 }),
  })
  .map(({ size, kernel, steps, isDilated, groups, inGroup, outOfGroup, padding }) => ({
    images: [BATCH_AXIS, ...size, groups * inGroup],
    layer: {
      kernel: isDilated ? ([2, 2] as const) : kernel,
      strides: isDilated ? ([1, 1] as const) : steps,
      dilation: isDilated ? steps : ([1, 1] as const),
      padding,
      groups,
      filters: groups * outOfGroup,
    },
    inGroup,
  }));
const groupedConvolution = anyConvolution.chain(({ images, layer, inGroup }) =>
  ofShapes(
    ([x, kernel]) => convolve({ x: x as Value, kernel: kernel as Value, bias: undefined }, layer, PLAIN),
    [images, [...layer.kernel, inGroup, layer.filters]],
  ),
);
/** One whose way back is a convolution of such a shape. */
const transposedConvolution = anyConvolution.chain(({ images, layer: { groups: _, ...layer } }) => {
  const [, height = 0, width = 0, channels = 0] = images;
  const { output } = windowGeometry([height, width], { ...layer, window: layer.kernel });
  return ofShapes(
    ([x, kernel, bias]) =>
      convolveTransposed(
        { x: x as Value, kernel: kernel as Value, bias },
        { ...layer, filters: channels, output: [height, width] },
      ),
    [[BATCH_AXIS, ...output, layer.filters], [...layer.kernel, channels, layer.filters], [channels]],
  );
});

const image = fc.tuple(extent, extent, extent).map((rest) => [BATCH_AXIS, ...rest]);

const PROBLEMS: Readonly<Record<string, fc.Arbitrary<Problem>>> = {
  'convolve with strides, a dilation, groups': groupedConvolution,
  convolveTransposed: transposedConvolution,
  resizeBilinear: ofOne((x, choose) => resizeBilinear(x, [1 + (choose % 3), 1 + (choose % 2)]), {
    shape: image,
  }),
};

describe('vector-Jacobian product', () => {
  for (const [name, problem] of Object.entries(PROBLEMS)) {
    it(`of ${name} is the slope`, () =>
      fc.assert(
        fc.asyncProperty(problem, (each) => assertSlopes(each)),
        { numRuns: 12, seed: 3 },
      ));
  }
});
