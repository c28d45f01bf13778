/**
 * FedAvg: the next global model is the mean of the clients' models, weighted by their numbers of examples
 * (McMahan et al. 2017, Communication-Efficient Learning of Deep Networks from Decentralized Data, arXiv 1602.05629,
 * algorithm 1: w_{t+1} = Σ_k n_k/m · w^k_{t+1}).
 */
import { rounded } from '../weighted-mean.js';
import { averaging } from './strategy-module.js';

/** The mean itself, rounded to float32; nothing of the server's is kept between rounds. */
export const fedAvg = averaging({
  name: 'fedavg',
  parameters: {},
  step: () => ({
    needsGlobal: false,
    slots: [],
    step: (state, mean) => ({ ...state, weights: rounded(mean) }),
  }),
});
