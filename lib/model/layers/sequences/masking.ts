/** Masking: steps of which all features are one value do not count. */
import { mul } from '../../primitives/arithmetic.js';
import type { LayerModule } from '../layer-module.js';
import { type LayerWith, numberWithin } from '../settings.js';
import { requireSequence } from './sequences.js';

const settings = {
  value: numberWithin({ keys: ['mask_value'], expected: 'a number', fallback: 0, isIn: () => true }),
};

/** They become 0, too, as in Keras. */
export const masking: LayerModule<LayerWith<'masking', typeof settings>> = {
  kind: 'masking',
  keras: [{ names: ['Masking'], settings }],
  outputShape(layer, input) {
    requireSequence(layer, input);
    return input;
  },
  masks: () => true,
  // Its recurrent layers know no zero_output_for_mask.
  notInTensorflow: () => 'masks as Keras',
  forward({ value }, [x]) {
    const { graph, tensor } = x;
    const isOther = graph.op('Not', [graph.op('Equal', [tensor, graph.scalar(value)])]);
    const counts = graph.op('ReduceMax', [graph.op('Cast', [isOther], { to: 1 }), graph.integers(-1)], {
      keepdims: 1,
    });
    const kept = mul(x, { graph, tensor: counts, shape: [...x.shape.slice(0, -1), 1] });
    return {
      ...kept,
      mask: graph.op('Cast', [graph.op('Squeeze', [counts, graph.integers(-1)])], { to: 9 }),
    };
  },
};
