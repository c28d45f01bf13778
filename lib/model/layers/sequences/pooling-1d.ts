/** Pools along sequences: of windows, and of whole sequences. */
import type { Tensor } from '../../graph/graph-builder.js';
import { div, mul } from '../../primitives/arithmetic.js';
import { averagePool, maxPool } from '../../primitives/pooling.js';
import { reduceMax, reduceMean } from '../../primitives/reductions.js';
import type { Value } from '../../primitives/value.js';
import { globalPoolSettings, pooledShape } from '../images/pooling-2d.js';
import type { LayerModule, NamedLayer } from '../layer-module.js';
import { imageOrder, type LayerWith, padding } from '../settings.js';
import { asRow, extent1d, fromRow, requireSequence } from './sequences.js';

const length = extent1d(['pool_size', 'pool_length'], 2);

const settings = { length, stride: extent1d(['strides', 'stride'], length), padding, ...imageOrder };

type Pool1dLayer<Kind extends string = string> = LayerWith<Kind, typeof settings>;

/** As a pool of images of one row. */
const onRow = ({ length, stride, ...others }: Pool1dLayer) => ({
  ...others,
  pool: [1, length] as const,
  strides: [1, stride] as const,
});

/** `[t, c]` of what comes out. @throws {ModelError} for no sequence, or a window that does not fit */
function shapeOf(layer: Pool1dLayer, input: readonly number[]): readonly number[] {
  requireSequence(layer, input);
  return pooledShape(onRow(layer), [1, ...input]).slice(1);
}

/** The largest of each window; its gradient goes to the first largest. */
export const maxPooling1d: LayerModule<Pool1dLayer<'maxPooling1d'>> = {
  kind: 'maxPooling1d',
  keras: [{ names: ['MaxPooling1D', 'MaxPool1D'], settings }],
  outputShape: shapeOf,
  forward: (layer, [x], context) =>
    fromRow(maxPool(asRow(x), onRow(layer), { ...context, blockSize: undefined })),
  commutesWithRelu: true,
};

/** The mean of each window, without the padding. */
export const averagePooling1d: LayerModule<Pool1dLayer<'averagePooling1d'>> = {
  kind: 'averagePooling1d',
  keras: [{ names: ['AveragePooling1D', 'AvgPool1D'], settings }],
  outputShape: shapeOf,
  forward: (layer, [x]) => fromRow(averagePool(asRow(x), onRow(layer))),
};

/** `[t, c]` to `[c]`. @throws {ModelError} for no sequence */
function globalShape(layer: NamedLayer, input: readonly number[]): readonly number[] {
  requireSequence(layer, input);
  return input.slice(1);
}

/** The largest of each channel. */
export const globalMaxPooling1d: LayerModule<LayerWith<'globalMaxPooling1d', typeof globalPoolSettings>> = {
  kind: 'globalMaxPooling1d',
  keras: [{ names: ['GlobalMaxPooling1D', 'GlobalMaxPool1D'], settings: globalPoolSettings }],
  outputShape: globalShape,
  forward: (_layer, [x]) => reduceMax(x, { axes: [1], keepAxes: false }),
};

/** The mean of each channel. */
export const globalAveragePooling1d: LayerModule<
  LayerWith<'globalAveragePooling1d', typeof globalPoolSettings>
> = {
  kind: 'globalAveragePooling1d',
  keras: [{ names: ['GlobalAveragePooling1D', 'GlobalAvgPool1D'], settings: globalPoolSettings }],
  outputShape: globalShape,
  maskBehind: () => 'dropped',
  forward: (_layer, [x]) =>
    x.mask === undefined ? reduceMean(x, { axes: [1], keepAxes: false }) : maskedMean(x, x.mask),
};

/** The mean of the elements that count. */
function maskedMean(x: Value, mask: Tensor): Value {
  const { graph, shape } = x;
  const [examples = 0, steps = 0] = shape;
  const counts = graph.op('Unsqueeze', [graph.op('Cast', [mask], { to: 1 }), graph.integers(2)]);
  const weights = { graph, tensor: counts, shape: [examples, steps, 1] };
  const options = { axes: [1], keepAxes: false };
  return div(reduceMean(mul(x, weights), options), reduceMean(weights, options));
}
