/** Examples set aside for testing, where a dataset brings none. */
import { UsageError } from '../../core/errors.js';
import { permutation, randomStream } from '../../core/random.js';

/** Share that is set aside unless the user says otherwise. */
export const DEFAULT_TEST_FRACTION = 0.1;

/** Examples set aside for testing, and the rest; both ascending, together all of 0 … n-1. */
interface HoldOut {
  readonly train: Uint32Array;
  readonly test: Uint32Array;
}

/**
 * Sets a random `fraction` (0 to 1) of `count` examples aside: at least one, and never all.
 *
 * @throws {UsageError} when there are fewer than two examples.
 */
export function holdOut(count: number, fraction: number, seed: number): HoldOut {
  if (count < 2)
    throw new UsageError(`Expected at least 2 examples to hold some out for testing, found ${count}.`);
  const held = Math.min(count - 1, Math.max(1, Math.round(count * fraction)));
  const order = permutation(count, randomStream(seed, 'partition', 'hold-out'));
  return { train: order.slice(held).sort(), test: order.slice(0, held).sort() };
}
