/** Permute: the axes in another order. */
import { formatShape } from '../../core/weights.js';
import { ModelError } from '../model-error.js';
import { transpose } from '../primitives/shaping.js';
import type { LayerModule } from './layer-module.js';
import { type LayerWith, setting } from './settings.js';

const settings = {
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

/** Axis `dims[i]` becomes axis i + 1. */
export const permute: LayerModule<LayerWith<'permute', typeof settings>> = {
  kind: 'permute',
  keras: [{ names: ['Permute'], settings }],
  outputShape({ name, dims }, input) {
    if (dims.length === input.length) return dims.map((axis) => input[axis - 1] as number);
    throw new ModelError(
      `layer ${name}: its dims are ${dims.join(', ')}, its input is ${formatShape(input)} behind the axis of the batch`,
    );
  },
  forward: ({ dims }, [x]) => (dims.length === 1 ? x : transpose(x, [0, ...dims])),
};
