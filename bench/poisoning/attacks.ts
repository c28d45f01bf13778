/** What attackers make of their updates and of their examples. */
import { permutation, randomStream } from '../../lib/core/random.js';
import type { Weights } from '../../lib/core/weights.js';
import type { Attack } from './trials.js';

/** Who attacks, and how. */
export interface Attackers {
  readonly attack: Attack;
  readonly clients: readonly number[];
  readonly seed: number;
}

/** So many of the clients, drawn. */
export function attackersOf({
  clients,
  share,
  seed,
}: {
  readonly clients: number;
  readonly share: number;
  readonly seed: number;
}): readonly number[] {
  const drawn = permutation(clients, randomStream(seed, 'attackers'));
  return [...drawn].slice(0, Math.round(share * clients)).sort((a, b) => a - b);
}

/** How far a flipped update goes back. */
const FLIP = 10;
/** Standard deviation of the noise. */
const NOISE = 1;
const HUGE = 1e30;

/** Whose update it is, and what it started from. */
interface UpdatePlace {
  readonly client: number;
  readonly round: number;
  readonly global: Weights;
  readonly seed: number;
}

/** Writes what an attacker sends over its honest update. Attacks on examples leave it as it is. */
export function poisonUpdate(
  update: Weights,
  attack: Attack,
  { client, round, global, seed }: UpdatePlace,
): void {
  const random = randomStream(seed, 'attack', round, client);
  for (const [index, { values }] of update.entries()) {
    const from = global[index]?.values ?? values;
    for (let at = 0; at < values.length; at++) {
      const [value, origin] = [values[at] as number, from[at] as number];
      if (attack === 'sign-flip') values[at] = origin - FLIP * (value - origin);
      if (attack === 'noise') values[at] = value + NOISE * random.normal();
      if (attack === 'huge') values[at] = HUGE;
    }
  }
}

/** The label that a backdoor leads to. */
export const BACKDOOR_LABEL = 0;
/** Pixels on each side of the white square in the lower right corner (BadNets: Gu et al. 2017, arXiv 1708.06733). */
const SQUARE = 3;

/** Images of one size and their labels, row-major. */
export interface Images {
  readonly pixels: Uint8Array;
  readonly labels: Uint8Array;
  /** Pixels on each side. */
  readonly side: number;
}

/** Puts the white square into an image. */
export function stamp({ pixels, side }: Images, image: number): void {
  for (let row = side - SQUARE; row < side; row++) {
    const at = (image * side + row) * side + side - SQUARE;
    pixels.fill(255, at, at + SQUARE);
  }
}

/** Changes an attacker's examples. Attacks on updates leave them as they are. */
export function poisonExamples(images: Images, attack: Attack, indices: Iterable<number>): void {
  const { labels } = images;
  let turn = 0;
  for (const index of indices) {
    if (attack === 'label-flip') labels[index] = 9 - (labels[index] as number);
    if (attack === 'backdoor' && turn++ % 2 === 0) {
      stamp(images, index);
      labels[index] = BACKDOOR_LABEL;
    }
  }
}
