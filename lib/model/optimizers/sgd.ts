/** Stochastic gradient descent, with momentum or Nesterov's (Sutskever et al. 2013), as Keras defines it. */
import { type CommonSettings, type OptimizerModule, share, switchedOn } from './optimizer-module.js';

/** What SGD is told. */
export interface SgdSettings extends CommonSettings {
  readonly kind: 'sgd';
  readonly momentum: number;
  readonly nesterov?: boolean;
}

/** Its slot is the velocity, where it has momentum. */
export const sgd: OptimizerModule<SgdSettings> = {
  kind: 'sgd',
  keras: 'SGD',
  settings: { momentum: share('momentum', 0), nesterov: switchedOn('nesterov') },
  slots: ({ momentum }) => (momentum === 0 ? {} : { velocity: 0 }),
  rates: (_, { learningRate }) => ({ stepSize: learningRate }),
  update(math, { momentum, nesterov }, { weights, descend, slots: [velocity] }) {
    if (velocity === undefined) return { weights: descend(weights, 1), slots: [] };
    const next = descend(velocity, momentum);
    if (nesterov !== true) return { weights: math.add(weights, next), slots: [next] };
    const ahead = math.add(weights, math.multiply(next, math.constant(momentum)));
    return { weights: descend(ahead, 1), slots: [next] };
  },
};
