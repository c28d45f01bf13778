/** PReLU: a relu whose slope below 0 is learned (He et al. 2015, arXiv 1502.01852). */
import { formatShape } from '../../core/weights.js';
import { ModelError } from '../model-error.js';
import { mul, sub } from '../primitives/arithmetic.js';
import { relu } from '../primitives/elementwise.js';
import type { LayerModule } from './layer-module.js';
import { type LayerWith, setting } from './settings.js';

const settings = {
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

/** Slopes `alpha`, shaped as an example, with 1 for axes that share. */
export const pReLU: LayerModule<LayerWith<'pReLU', typeof settings>> = {
  kind: 'pReLU',
  keras: [{ names: ['PReLU'], settings }],
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
