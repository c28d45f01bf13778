/** Dot: the products of two values, summed over an axis of each. */
import { ModelError } from '../../core/errors.js';
import { multiply } from '../primitives/products.js';
import { reshape, transpose } from '../primitives/shaping.js';
import { BATCH_AXIS, type Value } from '../primitives/value.js';
import type { InputShapes, LayerModule } from './layer-module.js';
import { toLengthOne } from './normalization/unit-normalization.js';
import { type LayerWith, setting } from './settings.js';

const settings = {
  /** One of each input, as Keras counts, the batch being axis 0. */
  axes: setting<readonly [number, number]>({
    keys: ['axes', 'dot_axes'],
    expected: 'the number of one axis, or of one of each input, other than 0',
    parse(value) {
      const axes: readonly unknown[] = Array.isArray(value) ? value : [value, value];
      const isAxes = axes.length === 2 && axes.every((axis) => Number.isSafeInteger(axis) && axis !== 0);
      return isAxes ? (axes as unknown as readonly [number, number]) : undefined;
    },
  }),
  /** Whether both are scaled to length 1 along their axis: the result is the cosine. */
  normalize: setting({
    keys: ['normalize'],
    expected: 'true or false',
    fallback: false,
    parse: (value) => (typeof value === 'boolean' ? value : undefined),
  }),
};

type DotLayer = LayerWith<'dot', typeof settings>;

/** `[…]` without the axis of each, the first input's extents before the second's; `[1]` where none are left. */
export const dot: LayerModule<DotLayer> = {
  kind: 'dot',
  keras: [{ names: ['Dot'], settings }],
  inputCount: [2, 2],
  outputShape(layer, ...inputs) {
    const [left, right] = axesOf(layer, inputs);
    const rest = [
      inputs[0].filter((_, at) => at !== left),
      (inputs[1] ?? []).filter((_, at) => at !== right),
    ];
    const shape = rest.flat();
    return shape.length === 0 ? [1] : shape;
  },
  forward(layer, [first, second]) {
    const values = [first, second] as readonly [Value, Value];
    const shapes = values.map(({ shape }) => shape.slice(1)) as unknown as InputShapes;
    const axes = axesOf(layer, shapes);
    const [left, right] = values.map((value, at) => {
      const axis = (axes[at] as number) + 1;
      const last = transpose(value, [
        ...value.shape.flatMap((_, each) => (each === axis ? [] : [each])),
        axis,
      ]);
      const extent = value.shape[axis] as number;
      const rows = value.shape.slice(1).reduce((size, each) => size * each, 1) / extent;
      const matrix = reshape(layer.normalize ? toLengthOne(last, [last.shape.length - 1]) : last, [
        BATCH_AXIS,
        rows,
        extent,
      ]);
      return at === 0 ? matrix : transpose(matrix, [0, 2, 1]);
    }) as unknown as readonly [Value, Value];
    return reshape(multiply(left, right), [BATCH_AXIS, ...dot.outputShape(layer, ...shapes)]);
  },
};

/** Which extents, given without the batch. @throws {ModelError} where there are none such, or they differ */
function axesOf({ name, axes }: DotLayer, shapes: InputShapes): readonly [number, number] {
  const [left, right] = axes.map((axis, input) =>
    axis < 0 ? (shapes[input]?.length ?? 0) + axis : axis - 1,
  );
  const [a, b] = [shapes[0][left as number], shapes[1]?.[right as number]];
  if (a !== undefined && a === b) return [left as number, right as number];
  throw new ModelError(`layer ${name}: its inputs do not fit together at its axes ${axes.join(' and ')}`);
}
