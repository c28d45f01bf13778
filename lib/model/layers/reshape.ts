/** Reshape: the same elements in another shape. */
import { formatShape, sizeOf } from '../../core/weights.js';
import { ModelError } from '../model-error.js';
import { reshape } from '../primitives/shaping.js';
import { BATCH_AXIS } from '../primitives/value.js';
import type { LayerModule } from './layer-module.js';
import { type LayerWith, setting } from './settings.js';

const settings = {
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

type ReshapeLayer = LayerWith<'reshape', typeof settings>;

/** In Keras' order, channels last. */
export const reshapeLayer: LayerModule<ReshapeLayer> = {
  kind: 'reshape',
  keras: [{ names: ['Reshape'], settings }],
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
