/** Flatten, Reshape and Permute: the same numbers in another shape or order. */

import { ModelError } from '../../core/errors.js';
import { formatShape, sizeOf } from '../../core/weights.js';
import { reshape, transpose } from '../primitives/shaping.js';
import { BATCH_AXIS } from '../primitives/value.js';
import type { LayerModule } from './layer-module.js';
import { imageOrder, type LayerWith, setting } from './settings.js';

/** An image as one row of features: `[h, w, c]` to `[h·w·c]`; `[features]` stays. */
export const flatten: LayerModule<LayerWith<'flatten', typeof imageOrder>> = {
  kind: 'flatten',
  keras: [{ names: ['Flatten'], settings: imageOrder }],
  outputShape: (_layer, input) => [sizeOf(input)],
  forward: (_layer, [x]) => (x.shape.length === 2 ? x : reshape(x, [BATCH_AXIS, sizeOf(x.shape.slice(1))])),
  maskBehind: () => 'dropped',
  onlyReshapes: true,
};

const reshapeSettings = {
  /** Without the batch; -1 is what is left. */
  targetShape: setting<readonly number[]>({
    keys: ['target_shape'],
    expected: 'whole numbers of at least 1, one of which may be -1',
    parse(value) {
      const extents: readonly unknown[] = Array.isArray(value) ? value : [];
      const isShape = extents.every(
        (each) => Number.isSafeInteger(each) && (each === -1 || Number(each) > 0),
      );
      const open = extents.filter((each) => each === -1);
      const isTaken = extents.length > 0 && isShape && open.length < 2;
      return isTaken ? (extents as readonly number[]) : undefined;
    },
  }),
};

type ReshapeLayer = LayerWith<'reshape', typeof reshapeSettings>;

/** The same elements in another shape, in Keras' order, channels last. */
export const reshapeLayer: LayerModule<ReshapeLayer> = {
  kind: 'reshape',
  keras: [{ names: ['Reshape'], settings: reshapeSettings }],
  outputShape: wholeShape,
  forward: (layer, [x]) => reshape(x, [BATCH_AXIS, ...wholeShape(layer, x.shape.slice(1))]),
  maskBehind: () => 'dropped',
  onlyReshapes: true,
  // It cannot tell the shape of what comes next.
  notInTensorflow: ({ targetShape }) => (targetShape.includes(-1) ? 'target_shape with -1' : undefined),
};

/** The shape that is asked for, without -1. @throws {ModelError} where the elements do not fill it */
function wholeShape({ name, targetShape }: ReshapeLayer, input: readonly number[]): readonly number[] {
  const size = sizeOf(input);
  const rest = size / sizeOf(targetShape.filter((extent) => extent !== -1));
  const shape = targetShape.map((extent) => (extent === -1 ? rest : extent));
  if (Number.isInteger(rest) && sizeOf(shape) === size) return shape;
  throw new ModelError(
    `layer ${name}: its input ${formatShape(input)} does not fill its target_shape ${formatShape(targetShape)}`,
  );
}

const permuteSettings = {
  /** As Keras counts, the batch being axis 0; channels last. */
  dims: setting<readonly number[]>({
    keys: ['dims'],
    expected: 'the numbers of all axes behind that of the batch',
    parse(value) {
      const axes: readonly unknown[] = Array.isArray(value) ? value : [];
      const isOrder = axes.every((_, at) => axes.includes(at + 1));
      return axes.length > 0 && isOrder ? (axes as readonly number[]) : undefined;
    },
  }),
};

/** The axes in another order: axis `dims[i]` becomes axis i + 1. */
export const permute: LayerModule<LayerWith<'permute', typeof permuteSettings>> = {
  kind: 'permute',
  keras: [{ names: ['Permute'], settings: permuteSettings }],
  outputShape({ name, dims }, input) {
    if (dims.length === input.length) return dims.map((axis) => input[axis - 1] as number);
    throw new ModelError(
      `layer ${name}: its dims are ${dims.join(', ')}, its input is ${formatShape(input)} behind the axis of the batch`,
    );
  },
  forward: ({ dims }, [x]) => (dims.length === 1 ? x : transpose(x, [0, ...dims])),
};
