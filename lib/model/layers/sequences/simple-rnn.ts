/** SimpleRNN: a cell whose state is its output (Elman 1990). */
import { activate } from '../activation.js';
import type { LayerModule } from '../layer-module.js';
import type { LayerWith } from '../settings.js';
import {
  recurrentModule,
  recurrentParameters,
  recurrentSettings,
  runGates,
  WITHOUT_EFFECT,
} from './recurrent.js';

/** h' = activation(Wᵀx + Uᵀh + b) */
export const simpleRnn: LayerModule<LayerWith<'simpleRnn', typeof recurrentSettings>> = {
  ...recurrentModule,
  kind: 'simpleRnn',
  keras: [{ names: ['SimpleRNN'], settings: recurrentSettings, withoutEffect: WITHOUT_EFFECT }],
  parameters: (layer, input) => recurrentParameters(layer, input, { gates: 1 }),
  forward: (layer, [x], context) =>
    runGates(layer, x, {
      states: 1,
      context,
      step: (_states, gates) => [activate(layer.cellActivation, gates)],
    }),
};
