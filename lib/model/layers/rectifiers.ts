/** ReLU, LeakyReLU, ELU and PReLU: layers that bend what lies below 0. */

import { ModelError } from '../../core/errors.js';
import { formatShape } from '../../core/weights.js';
import { mul, sub } from '../primitives/arithmetic.js';
import { elu, leakyRelu, rectify, relu } from '../primitives/elementwise.js';
import type { LayerModule } from './layer-module.js';
import { type LayerWith, numberWhere, numberWithin, setting } from './settings.js';

const isInBounds = (value: number) => value >= 0;

/** A number of at least 0, under its names. */
function bound(keys: readonly string[], fallback: number) {
  return numberWithin({ keys, expected: 'a number of at least 0', fallback, isIn: isInBounds });
}

const reluSettings = {
  maxValue: setting<number | null>({
    keys: ['max_value'],
    expected: 'none or a number of at least 0',
    fallback: null,
    parse: numberWhere(isInBounds),
  }),
  slope: bound(['negative_slope'], 0),
  threshold: bound(['threshold'], 0),
};

/** With bounds and a slope below them, element by element: x from the threshold on, at most maxValue; slope · (x - threshold) below. */
export const reluLayer: LayerModule<LayerWith<'relu', typeof reluSettings>> = {
  kind: 'relu',
  keras: [
    { names: ['ReLU'], settings: reluSettings },
    // Konda et al. 2014, arXiv 1402.3337; gone since Keras 3.
    {
      names: ['ThresholdedReLU'],
      settings: { threshold: bound(['theta'], 1) },
      given: { maxValue: null, slope: 0 },
    },
  ],
  outputShape: (_layer, input) => input,
  asActivation({ maxValue, slope, threshold }) {
    if (slope !== 0 || threshold !== 0) return undefined;
    return maxValue === null ? 'relu' : maxValue === 6 ? 'relu6' : undefined;
  },
  forward: (layer, [x]) => rectify(x, layer),
  notInTensorflow({ slope, threshold }) {
    if (threshold !== 0) return `threshold ${threshold}`;
    return slope === 0 ? undefined : `negative_slope ${slope}`;
  },
};

const leakySettings = {
  /** Keras 3 calls it `negative_slope` and reads both. */
  slope: bound(['alpha', 'negative_slope'], 0.3),
};

/** A slope below 0 (Maas et al. 2013), element by element: x above 0, `slope` · x below. */
export const leakyReluLayer: LayerModule<LayerWith<'leakyRelu', typeof leakySettings>> = {
  kind: 'leakyRelu',
  keras: [{ names: ['LeakyReLU'], settings: leakySettings }],
  outputShape: (_layer, input) => input,
  maskBehind: () => 'kept',
  forward: ({ slope }, [x]) => leakyRelu(slope)(x),
};

const eluSettings = { alpha: bound(['alpha'], 1) };

/** Exponential below 0 (Clevert et al. 2016, arXiv 1511.07289), element by element: x above 0, α (eˣ - 1) below. */
export const eluLayer: LayerModule<LayerWith<'elu', typeof eluSettings>> = {
  kind: 'elu',
  keras: [{ names: ['ELU'], settings: eluSettings }],
  outputShape: (_layer, input) => input,
  maskBehind: () => 'kept',
  forward: ({ alpha }, [x]) => elu(alpha)(x),
  notInTensorflow: ({ alpha }) => (alpha === 1 ? undefined : `alpha ${alpha}`),
};

const pReluSettings = {
  /** Along which one slope serves all, as Keras counts, the batch being axis 0. */
  sharedAxes: setting<readonly number[]>({
    keys: ['shared_axes'],
    expected: 'none or the numbers of axes, of at least 1',
    fallback: [],
    parse(value) {
      const axes = [value].flat();
      return axes.every((axis) => Number.isSafeInteger(axis) && (axis as number) > 0)
        ? (axes as readonly number[])
        : undefined;
    },
  }),
};

/** A slope below 0 that is learned (He et al. 2015, arXiv 1502.01852): slopes `alpha`, shaped as an example, with 1 for axes that share. */
export const pReLU: LayerModule<LayerWith<'pReLU', typeof pReluSettings>> = {
  kind: 'pReLU',
  keras: [{ names: ['PReLU'], settings: pReluSettings }],
  outputShape({ name, sharedAxes }, input) {
    if (sharedAxes.every((axis) => axis <= input.length)) return input;
    throw new ModelError(
      `layer ${name}: its shared_axes are ${sharedAxes.join(', ')}, its input is ${formatShape(input)} behind the axis of the batch`,
    );
  },
  parameters: ({ sharedAxes }, input) => [
    {
      role: 'alpha',
      shape: input.map((extent, at) => (sharedAxes.includes(at + 1) ? 1 : extent)),
      initial: 'zeros',
    },
  ],
  forward: (_layer, [x], context) => sub(relu(x), mul(relu(mul(x, -1)), context.parameter('alpha'))),
};
