/**
 * FedAvg: the next global model is the mean of the clients' models, weighted by their numbers of examples
 * (McMahan et al. 2017, Communication-Efficient Learning of Deep Networks from Decentralized Data, arXiv 1602.05629,
 * algorithm 1: w_{t+1} = Σ_k n_k/m · w^k_{t+1}).
 */
import { createWeightedMean, type WeightedMean } from '../weighted-mean.js';
import type { Weights } from '../weights.js';

/** A client's weights and how much they count: its number of examples. */
export interface WeightedUpdate {
  readonly weights: Weights;
  readonly examples: number;
}

/**
 * The next global weights, or null where there was no update; FedAvg keeps nothing of the server's between rounds.
 * The updates agree in names and shapes and are taken one at a time; their order decides the last bits.
 */
export async function fedAvg(
  updates: AsyncIterable<WeightedUpdate> | Iterable<WeightedUpdate>,
): Promise<Weights | null> {
  let mean: WeightedMean | undefined;
  for await (const { weights, examples } of updates) {
    mean ??= createWeightedMean(weights);
    mean.add(weights, examples);
  }
  return mean?.value() ?? null;
}
