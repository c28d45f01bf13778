/** Embedding: a row of numbers, which is learnt, for each whole number. */

import { ModelError } from '../../../core/errors.js';
import { gatherRows } from '../../primitives/products.js';
import type { LayerModule } from '../layer-module.js';
import { fixed, flagOff, type LayerWith, size } from '../settings.js';

const settings = {
  /** Inputs are whole numbers from 0, all below it. */
  below: size('input_dim'),
  units: size('output_dim'),
  maskZero: flagOff('mask_zero'),
  // Of Keras 1.
  dropout: fixed('dropout', 0, null),
};

/** Table `[below, units]`: `[…]` to `[…, units]`. */
export const embedding: LayerModule<LayerWith<'embedding', typeof settings>> = {
  kind: 'embedding',
  keras: [{ names: ['Embedding'], settings, withoutEffect: ['sparse'] }],
  outputShape({ name, units, maskZero }, input) {
    if (maskZero && input.length !== 1)
      throw new ModelError(`layer ${name}: mask_zero is supported for sequences [t] alone`);
    return [...input, units];
  },
  parameters: ({ below, units }) => [{ role: 'embeddings', shape: [below, units], initial: 'uniform' }],
  inputBelow: ({ below }) => below,
  masks: ({ maskZero }) => maskZero,
  // Its recurrent layers know no zero_output_for_mask.
  notInTensorflow: ({ maskZero }) => (maskZero ? 'mask_zero as Keras' : undefined),
  forward({ maskZero }, [x], { parameter }) {
    const { graph, tensor } = x;
    const rows = gatherRows(parameter('embeddings'), x);
    const isCounted = () => graph.op('Not', [graph.op('Equal', [tensor, graph.scalar(0)])]);
    return maskZero ? { ...rows, mask: isCounted() } : rows;
  },
};
