/** All updates of a round in memory at once, for the robust rules that compare them with one another. */
import { ThresholdError, UsageError } from '../../core/errors.js';
import { parameterCount, type Weights } from '../../core/weights.js';
import type { Updates, WeightedUpdate } from './strategy.js';

/** Four bytes a parameter and update: so much holds 1,000 updates of a million parameters. More is refused. */
const MAX_HELD_BYTES = 4e9;

/** The updates of a round, flattened; numbers of examples are left out, since a client can claim any. */
interface HeldUpdates {
  /** A model with the names and shapes that all have. */
  readonly like: Weights;
  /** One vector of all parameters for each update, in the order of the clients. */
  readonly vectors: readonly Float32Array[];
}

/** Who holds updates, and how many bytes of them. */
interface HoldLimit {
  /** As the subject of a sentence. */
  readonly who: string;
  /** Bytes at most; {@link MAX_HELD_BYTES} unless a test says otherwise. */
  readonly maxBytes?: number | undefined;
}

/** What a rule calls itself and needs. */
interface HoldOptions extends Pick<HoldLimit, 'maxBytes'> {
  readonly name: string;
  /** Fewest updates that it can work with; 1 unless told. */
  readonly minUpdates?: number;
}

/**
 * Takes in all updates; null where there are none.
 *
 * @throws {ThresholdError} when there are updates, but too few for the rule
 * @throws {UsageError} when they need more memory than the limit
 */
export async function holdUpdates(
  updates: Updates,
  { name, minUpdates = 1, maxBytes }: HoldOptions,
): Promise<HeldUpdates | null> {
  let like: Weights | undefined;
  const vectors: Float32Array[] = [];
  for await (const { weights } of withinMemory(updates, { who: `The strategy ${name}`, maxBytes })) {
    like ??= weights;
    vectors.push(flatten(weights, parameterCount(like)));
  }
  if (like === undefined) return null;
  if (vectors.length < minUpdates) {
    throw new ThresholdError(
      `The strategy ${name} needs at least ${minUpdates} updates, found ${vectors.length}.`,
    );
  }
  return { like, vectors };
}

/** Copies of all updates, in their order. @throws {UsageError} when they need more memory than the limit */
export async function copyUpdates(updates: Updates, limit: HoldLimit): Promise<WeightedUpdate[]> {
  const copies: WeightedUpdate[] = [];
  for await (const update of withinMemory(updates, limit)) {
    const weights = update.weights.map((array) => ({ ...array, values: array.values.slice() }));
    copies.push({ ...update, weights });
  }
  return copies;
}

/** The same updates, as long as all so far are within the limit. */
async function* withinMemory(
  updates: Updates,
  { who, maxBytes = MAX_HELD_BYTES }: HoldLimit,
): AsyncGenerator<WeightedUpdate> {
  let held = 0;
  for await (const update of updates) {
    const size = parameterCount(update.weights);
    if ((held + 1) * size * Float32Array.BYTES_PER_ELEMENT > maxBytes) {
      throw new UsageError(
        `${who} holds all updates of a round in memory: more than ${held} of ${size} parameters exceed its limit of ` +
          `${maxBytes / 1e9} GB (select fewer clients, or use a strategy that averages).`,
      );
    }
    held++;
    yield update;
  }
}

/** Arrays with the names and shapes of `like` and the values of a flat `vector`, of which they are views. */
export function unflatten(like: Weights, vector: Float32Array): Weights {
  let end = 0;
  return like.map(({ name, shape, values: { length } }) => {
    const values = vector.subarray(end, end + length);
    end += length;
    return { name, shape, values };
  });
}

/** Coordinates that are turned from rows to columns at a time: a block of some hundred updates stays in the cache. */
const BLOCK = 512;

/** The vector whose every coordinate is `reduce` of that coordinate's values over all updates, in ascending order. */
export function reduceCoordinates(
  vectors: readonly Float32Array[],
  reduce: (sorted: Float32Array) => number,
): Float32Array {
  const count = vectors.length;
  const size = vectors[0]?.length ?? 0;
  const result = new Float32Array(size);
  const columns = new Float32Array(BLOCK * count);
  for (let start = 0; start < size; start += BLOCK) {
    const width = Math.min(BLOCK, size - start);
    vectors.forEach((vector, row) => {
      for (let at = 0; at < width; at++) columns[at * count + row] = vector[start + at] as number;
    });
    for (let at = 0; at < width; at++) {
      result[start + at] = reduce(columns.subarray(at * count, (at + 1) * count).sort());
    }
  }
  return result;
}

function flatten(weights: Weights, size: number): Float32Array {
  const vector = new Float32Array(size);
  let end = 0;
  for (const { values } of weights) {
    vector.set(values, end);
    end += values.length;
  }
  return vector;
}
