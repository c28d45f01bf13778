/** Concatenate: values one after the other along an axis. */
import { ModelError } from '../../core/errors.js';
import { concat } from '../primitives/shaping.js';
import type { InputShapes, LayerModule } from './layer-module.js';
import { type LayerWith, numberWhere, setting } from './settings.js';

const settings = {
  /** As Keras counts, the batch being axis 0. */
  axis: setting({
    keys: ['axis', 'concat_axis'],
    expected: 'the number of an axis other than 0',
    fallback: -1,
    parse: numberWhere((axis) => Number.isSafeInteger(axis) && axis !== 0),
  }),
};

type ConcatenateLayer = LayerWith<'concatenate', typeof settings>;

/** All other extents are the same. */
export const concatenate: LayerModule<ConcatenateLayer> = {
  kind: 'concatenate',
  keras: [{ names: ['Concatenate'], settings }],
  inputCount: [2, Number.POSITIVE_INFINITY],
  outputShape(layer, ...inputs) {
    const at = axisOf(layer, inputs);
    const [first] = inputs;
    return first.map((extent, axis) => {
      if (axis === at) return inputs.reduce((sum, shape) => sum + (shape[at] ?? 0), 0);
      if (inputs.every((shape) => shape.length === first.length && shape[axis] === extent)) return extent;
      throw new ModelError(`layer ${layer.name}: its inputs do not fit together`);
    });
  },
  forward: (layer, inputs) => {
    const shapes = inputs.map(({ shape }) => shape.slice(1)) as unknown as InputShapes;
    return concat(inputs, axisOf(layer, shapes) + 1);
  },
};

/** Which extent of the inputs, given without the batch. @throws {ModelError} where they have no such axis */
function axisOf({ name, axis }: ConcatenateLayer, [first]: InputShapes): number {
  const at = axis < 0 ? first.length + axis : axis - 1;
  if (first[at] !== undefined) return at;
  throw new ModelError(
    `layer ${name}: Concatenate with axis ${axis} is not possible, its inputs do not have it`,
  );
}
