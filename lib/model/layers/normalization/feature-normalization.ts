/** Normalization: every number less the mean of its feature, in units of its deviation; both are known before training. */

import { ModelError } from '../../../core/errors.js';
import { formatShape, sizeOf } from '../../../core/weights.js';
import { add, div, mul, sub } from '../../primitives/arithmetic.js';
import { clip, sqrt } from '../../primitives/elementwise.js';
import { reshape } from '../../primitives/shaping.js';
import type { Value } from '../../primitives/value.js';
import type { LayerContext, LayerModule } from '../layer-module.js';
import { flagOff, type LayerWith, setting, unlessDefault } from '../settings.js';
import { placesOfAxes } from './normalization.js';

/** Numbers that are in the config, row-major, where nothing was learned from data. */
const known = (key: string) =>
  unlessDefault(
    setting<readonly number[] | null>({
      keys: [key],
      expected: 'none, or numbers',
      fallback: null,
      parse(value) {
        const numbers = [value].flat(Number.POSITIVE_INFINITY);
        return numbers.length > 0 && numbers.every(Number.isFinite)
          ? (numbers as readonly number[])
          : undefined;
      },
    }),
    null,
  );

const settings = {
  /** Whose places have a mean each, as Keras counts, the batch being axis 0; none for one mean of all. */
  axis: {
    ...setting<readonly number[]>({
      keys: ['axis'],
      expected: 'none, or the numbers of axes behind that of the batch',
      parse(value) {
        if (value === undefined) return [-1];
        const axes: readonly unknown[] = value === null ? [] : [value].flat();
        const isAxis = (axis: unknown) => Number.isSafeInteger(axis) && axis !== 0;
        return axes.every(isAxis) ? (axes as readonly number[]) : undefined;
      },
    }),
    write: (axes: readonly number[]) => (axes.length === 0 ? null : axes),
  },
  invert: flagOff('invert'),
  mean: known('mean'),
  variance: known('variance'),
};

type FeatureNormalizationLayer = LayerWith<'featureNormalization', typeof settings>;

/** Least deviation that anything is divided by, as in Keras. */
const LEAST_DEVIATION = 1e-7;

/** Mean and variance have the extents of the axes; they and the count of the examples that gave them are not trained. */
export const featureNormalization: LayerModule<FeatureNormalizationLayer> = {
  kind: 'featureNormalization',
  keras: [{ names: ['Normalization'], settings }],
  outputShape(layer, input) {
    const shape = extentsOf(layer, input);
    for (const [key, values] of [
      ['mean', layer.mean],
      ['variance', layer.variance],
    ] as const) {
      if (!values || values.length === 1 || values.length === sizeOf(shape)) continue;
      throw new ModelError(
        `layer ${layer.name}: its ${key} has ${values.length} numbers where its axes have ${formatShape(shape)}`,
      );
    }
    return input;
  },
  parameters(layer, input) {
    if (layer.mean) return [];
    const shape = extentsOf(layer, input);
    // A momentum of 1: no step moves them.
    return [
      { role: 'mean', shape, initial: 'zeros', momentum: 1 },
      { role: 'variance', shape, initial: 'ones', momentum: 1 },
      { role: 'count', shape: [], initial: 'zeros', momentum: 1 },
    ];
  },
  forward(layer, [x], context) {
    const inside = x.shape.slice(1);
    const axes = placesOf(layer, inside);
    const along = inside.map((extent, at) => (axes.includes(at) ? extent : 1));
    const given = (role: 'mean' | 'variance') =>
      reshape(constantOf(x, { values: layer[role], along }) ?? heldOf(role, context), along);
    if (!layer.mean && context.training) heldOf('count', context);
    const mean = given('mean');
    const deviation = clip(sqrt(given('variance')), LEAST_DEVIATION, 3.4e38);
    return layer.invert ? add(mul(x, deviation), mean) : div(sub(x, mean), deviation);
  },
  // The class that it is given knows the layer as new models begin and end with it.
  notInTensorflow: ({ axis, mean, variance }) =>
    mean && variance && axis.length === 1 && axis[0] === -1 ? undefined : 'such layer',
};

/** A parameter that a step leaves as it is. */
function heldOf(role: string, context: LayerContext): Value {
  const value = context.parameter(role);
  if (context.training) context.batchStatistic(role, value.graph.reshape(value.tensor, -1));
  return value;
}

function constantOf(
  { graph }: Value,
  {
    values,
    along,
  }: { readonly values: readonly number[] | null | undefined; readonly along: readonly number[] },
): Value | undefined {
  if (!values) return undefined;
  const [first = 0] = values;
  const all = Float32Array.from({ length: sizeOf(along) }, (_, at) => values[at] ?? first);
  return { graph, tensor: graph.constant(all, along), shape: along };
}

/** The extents of the axes, in order. @throws {ModelError} where the input has no such axes */
const extentsOf = (layer: FeatureNormalizationLayer, input: readonly number[]): readonly number[] =>
  placesOf(layer, input).map((at) => input[at] as number);

const placesOf = (layer: FeatureNormalizationLayer, input: readonly number[]): readonly number[] =>
  placesOfAxes('Normalization', layer, input).toSorted((a, b) => a - b);
