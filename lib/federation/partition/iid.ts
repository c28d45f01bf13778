/** The schemes that look at no label: shuffled and dealt, or dealt in the order of the file. */
import { permutation, type RandomStream } from '../../core/random.js';
import { deal, identity } from './dealing.js';

/** Shuffled, then dealt one by one: every shard looks like the whole (the IID split of McMahan et al. 2017). */
export function iid(
  labels: ArrayLike<number>,
  { clients, random }: { readonly clients: number; readonly random: RandomStream },
): readonly Uint32Array[] {
  return deal(permutation(labels.length, random), clients);
}

/** Client k takes examples k, k + K, k + 2K, … in the order of the file: `[rank::size]`, no randomness. */
export function strided(
  labels: ArrayLike<number>,
  { clients }: { readonly clients: number },
): readonly Uint32Array[] {
  return deal(identity(labels.length), clients);
}
