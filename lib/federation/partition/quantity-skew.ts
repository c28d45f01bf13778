/** Shards of different sizes, alike in all else: the quantity skew of NIID-Bench (Li et al. 2022, arXiv 2102.02079). */
import { permutation, type RandomStream } from '../../core/random.js';
import { cutBySizes, wholeParts } from './dealing.js';
import { dirichletDraws } from './dirichlet-shares.js';

/** What the scheme is told. */
interface QuantitySkewOptions {
  readonly clients: number;
  /** Concentration: towards 0 one client has nearly everything, towards infinity all shards are of one size. */
  readonly alpha: number;
  /** What every client gets before the rest is shared out. */
  readonly minExamples: number;
  readonly random: RandomStream;
}

/** Shuffles; gives each client its minimum, and shares of the rest that are one draw from Dir(α). */
export function quantitySkew(
  labels: ArrayLike<number>,
  { clients, alpha, minExamples, random }: QuantitySkewOptions,
): readonly Uint32Array[] {
  const shares = dirichletDraws(alpha, clients, random).next();
  const sizes = wholeParts(shares, labels.length - clients * minExamples).map((size) => size + minExamples);
  return cutBySizes(permutation(labels.length, random), sizes);
}
