/** LSTM: a cell that keeps a state of its own beside its output (Hochreiter and Schmidhuber 1997; Gers et al. 2000). */
import { add, mul } from '../../primitives/arithmetic.js';
import type { Product } from '../../primitives/recurrence.js';
import { equalParts, transpose } from '../../primitives/shaping.js';
import type { Value } from '../../primitives/value.js';
import { activate } from '../activation.js';
import type { LayerModule } from '../layer-module.js';
import { flag, type LayerWith } from '../settings.js';
import {
  gateActivation,
  inputGates,
  recurrentParameters,
  recurrentSettings,
  recurrentShape,
  runCell,
  WITHOUT_EFFECT,
} from './recurrent.js';

const settings = {
  ...recurrentSettings,
  recurrentActivation: gateActivation,
  /** The bias of the forget gate begins as 1 (Jozefowicz et al. 2015). */
  unitForgetBias: flag('unit_forget_bias'),
};

/** Gates in Keras' order: input, forget, candidate, output. */
export const lstm: LayerModule<LayerWith<'lstm', typeof settings>> = {
  kind: 'lstm',
  keras: [{ names: ['LSTM'], settings, withoutEffect: WITHOUT_EFFECT }],
  outputShape: recurrentShape,
  maskBehind: ({ returnSequences }) => (returnSequences ? 'kept' : 'dropped'),
  parameters: (layer, input) =>
    recurrentParameters(layer, input, {
      gates: 4,
      bias: { shape: [4 * layer.units], initial: layer.unitForgetBias ? 'forget-gate-ones' : 'zeros' },
    }),
  forward(layer, [x], { parameter }) {
    const gate = (value: Value) => activate(layer.recurrentActivation, value);
    const squash = (value: Value) => activate(layer.cellActivation, value);
    const bias = layer.useBias ? parameter('bias') : undefined;
    return runCell(layer, x, {
      states: 2,
      sequences: [inputGates(layer, x, parameter('kernel'), bias)],
      matrices: [transpose(parameter('recurrent_kernel'), [1, 0])],
      step({ states, elements, products }) {
        const [h, c] = states as readonly [Value, Value];
        const [ofInput] = elements as readonly [Value];
        const [product] = products as readonly [Product];
        const gates = equalParts(product(h, ofInput), { axis: 0, parts: 4 });
        const [input, forget, candidate, output] = gates as readonly [Value, Value, Value, Value];
        const kept = add(mul(gate(forget), c), mul(gate(input), squash(candidate)));
        return [mul(gate(output), squash(kept)), kept];
      },
    });
  },
};
