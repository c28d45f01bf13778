/** LSTM: a cell that keeps a state of its own beside its output (Hochreiter and Schmidhuber 1997; Gers et al. 2000). */
import { add, mul } from '../../primitives/arithmetic.js';
import { equalParts } from '../../primitives/shaping.js';
import type { Value } from '../../primitives/value.js';
import { activate } from '../activation.js';
import type { LayerModule } from '../layer-module.js';
import { flag, type LayerWith } from '../settings.js';
import {
  gateActivation,
  recurrentModule,
  recurrentParameters,
  recurrentSettings,
  runGates,
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
  ...recurrentModule,
  kind: 'lstm',
  keras: [{ names: ['LSTM'], settings, withoutEffect: WITHOUT_EFFECT }],
  parameters: (layer, input) =>
    recurrentParameters(layer, input, {
      gates: 4,
      bias: { shape: [4 * layer.units], initial: layer.unitForgetBias ? 'forget-gate-ones' : 'zeros' },
    }),
  forward(layer, [x], context) {
    const gate = (value: Value) => activate(layer.recurrentActivation, value);
    const squash = (value: Value) => activate(layer.cellActivation, value);
    return runGates(layer, x, {
      states: 2,
      context,
      step(states, gates) {
        const [, c] = states as readonly [Value, Value];
        const parts = equalParts(gates, { axis: 0, parts: 4 });
        const [input, forget, candidate, output] = parts as readonly [Value, Value, Value, Value];
        const kept = add(mul(gate(forget), c), mul(gate(input), squash(candidate)));
        return [mul(gate(output), squash(kept)), kept];
      },
    });
  },
};
