/**
 * How far each update of a round went from the global model, ‖Δ_k‖, and how well it agrees with the mean of all,
 * cos(Δ_k, Δ̄) with Δ̄ = Σ n_k·Δ_k / Σ n_k: found while the updates pass by, one in memory at a time.
 *
 * The mean is known when all have passed, so that something of each has to be kept. Where the differences fit into a
 * fixed memory, they are; of larger ones or more a count sketch is (Charikar, Chen, Farach-Colton 2002, Finding Frequent
 * Items in Data Streams): each number is added to one of m sums with a sign of chance, which keeps inner products but for
 * an error of about 1/√m.
 */
import { parameterCount, type WeightArray, type Weights } from '../core/weights.js';
import { AUTO, type ClipNorm } from './strategies/clip-norm.js';
import type { Updates, WeightedUpdate } from './strategies/strategy.js';
import { medianOfNumbers } from './weighted-mean.js';

/** What is found out about one update. */
export interface UpdateMeasure {
  readonly client: number;
  /** Euclidean norm of its difference from the global model, over all arrays, before any clipping. */
  readonly norm: number;
  /** Of the angle between that difference and the mean one; absent where one of them is zero. */
  readonly cosine?: number;
}

/** Measures the updates that go through it. */
interface UpdateMeter {
  /** The same updates, each measured before it is passed on. */
  pass(updates: Updates): AsyncGenerator<WeightedUpdate>;
  /** Begins to measure an update that comes in parts. */
  begin(): Measuring;
  /** Counts one that was measured so. */
  count(measured: Measuring, update: Pick<WeightedUpdate, 'client' | 'examples'>): void;
  /** What was found of those that tell their client, in the order in which they came. */
  found(): UpdateMeasure[];
  /** Of the norms of all. */
  medianNorm(): number;
}

/** An update whose arrays come one after the other, in parts. */
export interface Measuring {
  /** The next numbers of the array, and those of the global model there. */
  add(values: Float32Array, origin: Float32Array): void;
  endArray(): void;
  /** The sum of the squares of all differences so far. */
  squares(): number;
  readonly kept: Float32Array;
}

/** What a result tells of the updates that a meter has seen, and of the norm that they were clipped to where that is theirs. */
export function measuresTold(
  meter: UpdateMeter | undefined,
  clipNorm: ClipNorm | undefined,
): { readonly clients?: UpdateMeasure[]; readonly clipNorm?: number } {
  if (meter === undefined) return {};
  const clients = meter.found();
  return clipNorm === AUTO ? { clients, clipNorm: meter.medianNorm() } : { clients };
}

/** What is kept of all updates together. */
const MAX_KEPT_BYTES = 64e6;
/** Most sums of a sketch, which stay in a processor's cache: a cosine is off by about 0.004. */
const MAX_SKETCH = 65_536;
/** Fewest sums of a sketch: with fewer a cosine would be off by more than 0.03. */
const MIN_SKETCH = 1024;

interface Passed {
  readonly client: number | undefined;
  readonly examples: number;
  readonly norm: number;
  readonly kept: Float32Array;
}

/** A meter of updates that started from `global`, `most` of them at most. */
export function createUpdateMeter(
  global: Weights,
  { most, maxBytes = MAX_KEPT_BYTES }: { readonly most: number; readonly maxBytes?: number },
): UpdateMeter {
  const parameters = parameterCount(global);
  const room = Math.floor(maxBytes / Float32Array.BYTES_PER_ELEMENT / Math.max(1, most));
  const isSketch = room < parameters;
  const length = isSketch ? Math.max(MIN_SKETCH, Math.min(room, MAX_SKETCH)) : parameters;
  // Of far too many updates the norms alone are told.
  const scratch = room < Math.min(parameters, MIN_SKETCH) ? new Float32Array(length) : undefined;
  const passed: Passed[] = [];
  const begin = () => measuring(scratch ?? new Float32Array(length), isSketch);
  const count: UpdateMeter['count'] = ({ kept, squares }, { client, examples }) =>
    passed.push({ client, examples, norm: Math.sqrt(squares()), kept });
  return {
    begin,
    count,
    async *pass(updates) {
      for await (const update of updates) {
        const measured = begin();
        for (const [index, { values }] of update.weights.entries()) {
          measured.add(values, (global[index] as WeightArray).values);
          measured.endArray();
        }
        count(measured, update);
        yield update;
      }
    },
    medianNorm: () => significant(medianOfNumbers(passed.map(({ norm }) => norm))),
    found() {
      if (scratch !== undefined) {
        return passed.flatMap(({ client, norm }) =>
          client === undefined ? [] : { client, norm: significant(norm) },
        );
      }
      const mean = new Float64Array(length);
      for (const { examples, kept } of passed) {
        for (let at = 0; at < length; at++) mean[at] = (mean[at] as number) + examples * (kept[at] as number);
      }
      const meanNorm = Math.sqrt(dot(mean, mean));
      return passed.flatMap(({ client, norm, kept }) => {
        if (client === undefined) return [];
        const cosine = dot(kept, mean) / (Math.sqrt(dot(kept, kept)) * meanNorm);
        return {
          client,
          norm: significant(norm),
          ...(Number.isFinite(cosine) ? { cosine: Math.round(cosine * 1e4) / 1e4 } : {}),
        };
      });
    },
  };
}

const significant = (norm: number): number => Number(norm.toPrecision(6));

/** Numbers in a row that have one sign in a sketch: drawing one for each would take longer than all else. */
const RUN = 8;

/** Adds differences to `kept`. */
function measuring(kept: Float32Array, isSketch: boolean): Measuring {
  const { length } = kept;
  let [squares, next, run, left, sign] = [0, 0, 0, 0, 1];
  return {
    kept,
    squares: () => squares,
    endArray() {
      left = 0;
    },
    add(values, origin) {
      let [sum, place] = [squares, next];
      for (let from = 0; from < values.length; ) {
        if (left === 0) {
          left = Math.min(RUN, length - place);
          sign = isSketch ? signOf(run++) : 1;
        }
        const to = Math.min(values.length, from + left);
        const [shift, factor] = [place - from, sign];
        for (let at = from; at < to; at++) {
          const change = (values[at] as number) - (origin[at] as number);
          sum += change * change;
          kept[at + shift] = (kept[at + shift] as number) + factor * change;
        }
        left -= to - from;
        place = to + shift === length ? 0 : to + shift;
        from = to;
      }
      [squares, next] = [sum, place];
    },
  };
}

/** 1 or -1 by the bits of a number, mixed (the finaliser of MurmurHash3): the same for all updates. */
function signOf(number: number): number {
  let bits = Math.imul(number ^ (number >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return ((bits ^ (bits >>> 16)) & 1) * 2 - 1;
}

function dot(a: Float32Array | Float64Array, b: Float64Array | Float32Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at++) sum += (a[at] as number) * (b[at] as number);
  return sum;
}
