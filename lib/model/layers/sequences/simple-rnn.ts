/** SimpleRNN: a cell whose state is its output (Elman 1990). */
import type { Product } from '../../primitives/recurrence.js';
import { transpose } from '../../primitives/shaping.js';
import type { Value } from '../../primitives/value.js';
import { activate } from '../activation.js';
import type { LayerModule } from '../layer-module.js';
import type { LayerWith } from '../settings.js';
import {
  inputGates,
  recurrentParameters,
  recurrentSettings,
  recurrentShape,
  runCell,
  WITHOUT_EFFECT,
} from './recurrent.js';

/** h' = activation(Wᵀx + Uᵀh + b) */
export const simpleRnn: LayerModule<LayerWith<'simpleRnn', typeof recurrentSettings>> = {
  kind: 'simpleRnn',
  keras: [{ names: ['SimpleRNN'], settings: recurrentSettings, withoutEffect: WITHOUT_EFFECT }],
  outputShape: recurrentShape,
  maskBehind: ({ returnSequences }) => (returnSequences ? 'kept' : 'dropped'),
  parameters: (layer, input) => recurrentParameters(layer, input, { gates: 1 }),
  forward(layer, [x], { parameter }) {
    const bias = layer.useBias ? parameter('bias') : undefined;
    return runCell(layer, x, {
      states: 1,
      sequences: [inputGates(layer, x, parameter('kernel'), bias)],
      matrices: [transpose(parameter('recurrent_kernel'), [1, 0])],
      step({ states, elements, products }) {
        const [product] = products as readonly [Product];
        return [activate(layer.cellActivation, product(states[0] as Value, elements[0] as Value))];
      },
    });
  },
};
