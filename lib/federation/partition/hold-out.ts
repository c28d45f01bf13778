/** Examples that are set aside for the test of all, and how the others are counted without a list of them. */
import { UsageError } from '../../core/errors.js';
import { permutation, randomStream } from '../../core/random.js';

/** Examples in two parts, each ascending: of millions, those that are kept are not listed. */
interface HoldOut {
  /** Those that are set aside. */
  readonly test: Uint32Array;
  /** How many are kept. */
  readonly kept: number;
  /** The elements of those that are kept. */
  take<A extends Int32Array | Uint32Array>(all: A): A;
  /** Puts places among all examples for places among those that are kept. */
  renumber(places: Uint32Array): void;
}

/** Examples that are counted at once. */
const BLOCK = 64;

/**
 * Sets a random `fraction` (0 to 1) of `count` examples aside: at least one, and never all.
 *
 * @throws {UsageError} when there are fewer than two examples.
 */
export function holdOut(count: number, fraction: number, seed: number): HoldOut {
  if (count < 2)
    throw new UsageError(`Expected at least 2 examples to hold some out for testing, found ${count}.`);
  const held = Math.min(count - 1, Math.max(1, Math.round(count * fraction)));
  const kept = count - held;
  const isHeld = heldOf(count, held, seed);
  const test = new Uint32Array(held);
  // By block, how many are kept before it.
  const before = new Uint32Array(Math.ceil(count / BLOCK) + 1);
  for (let at = 0, tested = 0; at < count; at++) {
    if (at % BLOCK === 0) before[at / BLOCK] = at - tested;
    if (isHeld[at] === 1) test[tested++] = at;
  }
  before[before.length - 1] = kept;
  const exampleAt = (place: number): number => {
    let block = Math.floor((place / kept) * (before.length - 1));
    while ((before[block] as number) > place) block--;
    while ((before[block + 1] as number) <= place) block++;
    let at = block * BLOCK - 1;
    for (let left = place - (before[block] as number); left >= 0; ) if (isHeld[++at] === 0) left--;
    return at;
  };
  return {
    test,
    kept,
    take(all) {
      const taken = new (all.constructor as new (length: number) => typeof all)(kept);
      for (let at = 0, to = 0; at < count; at++) if (isHeld[at] === 0) taken[to++] = all[at] as number;
      return taken;
    },
    renumber(places) {
      for (let at = 0; at < places.length; at++) places[at] = exampleAt(places[at] as number);
    },
  };
}

/** 1 for each example that is set aside. */
function heldOf(count: number, held: number, seed: number): Uint8Array {
  const order = permutation(count, randomStream(seed, 'partition', 'hold-out'));
  const isHeld = new Uint8Array(count);
  for (let at = 0; at < held; at++) isHeld[order[at] as number] = 1;
  return isHeld;
}
