/**
 * How far each update of a round went from the global model, ‖Δ_k‖, and how well it agrees with the mean of all,
 * cos(Δ_k, Δ̄) with Δ̄ = Σ n_k·Δ_k / Σ n_k: found while the updates pass by, one in memory at a time.
 *
 * The mean is known when all have passed, so that something of each has to be kept. Where the differences fit into a
 * fixed memory, they are; of larger ones or more a count sketch is (Charikar, Chen, Farach-Colton 2002, Finding Frequent
 * Items in Data Streams): each number is added to one of m sums with a sign of chance, which keeps inner products but for
 * an error of about 1/√m. Such sums are kept as whole numbers of 16 bits, which moves a cosine by far less than that.
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
  count(measured: Measured, update: Pick<WeightedUpdate, 'client' | 'examples'>): void;
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
  /** What was measured. */
  end(): Measured;
}

/** What is found of one update on its own. */
interface Measured {
  /** The sum of the squares of all differences. */
  readonly squares: number;
  /** The differences, or sums of them. */
  readonly sums: Float32Array;
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

/** What is kept of all updates together; of sketches half as much, in 16 bits a number. */
const MAX_KEPT_BYTES = 64e6;
/** Most sums of a sketch, which stay in a processor's cache: a cosine is off by about 0.004. */
const MAX_SKETCH = 65_536;
/** Fewest sums of a sketch: with fewer a cosine would be off by more than 0.03. */
const MIN_SKETCH = 1024;

interface Passed {
  readonly client: number | undefined;
  readonly norm: number;
}

const MAX_INT16 = 2 ** 15 - 1;

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
  const isKept = room >= Math.min(parameters, MIN_SKETCH);
  const passed: Passed[] = [];
  /** Of one update after the other; memory that nothing is written into yet takes no room. */
  const kept = new (isSketch ? Int16Array : Float32Array)(isKept ? most * length : 0);
  const keptOf = (at: number) => kept.subarray(at * length, (at + 1) * length);
  /** Lengths of what is kept, in its units. */
  const lengths = new Float64Array(most);
  // Added to as updates come, while clients still train: at the end of a round everybody waits.
  const mean = new Float64Array(isKept ? length : 0);
  /** Keeps sums as whole multiples of the unit that is returned, or as they are. */
  const keep = (sums: Float32Array, into: Float32Array | Int16Array): number => {
    if (!isSketch) {
      into.set(sums);
      return 1;
    }
    let largest = 0;
    for (let place = 0; place < length; place++) largest = Math.max(largest, Math.abs(sums[place] as number));
    const unit = largest === 0 ? 1 : largest / MAX_INT16;
    for (let place = 0; place < length; place++) into[place] = Math.round((sums[place] as number) / unit);
    return unit;
  };
  const count: UpdateMeter['count'] = ({ sums, squares }, { client, examples }) => {
    if (isKept) {
      const own = keptOf(passed.length);
      const factor = examples * keep(sums, own);
      let square = 0;
      for (let at = 0; at < length; at++) {
        const value = own[at] as number;
        square += value * value;
        mean[at] = (mean[at] as number) + factor * value;
      }
      lengths[passed.length] = Math.sqrt(square);
    }
    passed.push({ client, norm: Math.sqrt(squares) });
  };
  const sums = new Float32Array(length);
  return {
    begin: () => beginMeasuring(new Float32Array(length), isSketch),
    count,
    async *pass(updates) {
      for await (const update of updates) {
        const measuring = beginMeasuring(sums.fill(0), isSketch);
        for (const [index, { values }] of update.weights.entries()) {
          measuring.add(values, (global[index] as WeightArray).values);
          measuring.endArray();
        }
        count(measuring.end(), update);
        yield update;
      }
    },
    medianNorm: () => significant(medianOfNumbers(passed.map(({ norm }) => norm))),
    found() {
      if (!isKept) {
        return passed.flatMap(({ client, norm }) =>
          client === undefined ? [] : { client, norm: significant(norm) },
        );
      }
      const meanNorm = Math.sqrt(dot(mean, mean));
      return passed.flatMap(({ client, norm }, index) => {
        if (client === undefined) return [];
        // Their unit is above and below.
        const cosine = dot(keptOf(index), mean) / ((lengths[index] as number) * meanNorm);
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

/** Begins to measure an update into zeros. */
function beginMeasuring(sums: Float32Array, isSketch: boolean): Measuring {
  const { length } = sums;
  const squares = new Float64Array(1);
  let [next, run, left, sign] = [0, 0, 0, 1];
  return {
    end: () => ({ sums, squares: squares[0] as number }),
    endArray() {
      left = 0;
    },
    add(values, origin) {
      let sum = squares[0] as number;
      let [place, runs, more, factor] = [next, run, left, sign];
      const end = values.length;
      for (let from = 0; from < end; ) {
        if (more === 0) {
          more = isSketch ? Math.min(RUN, length - place) : length - place;
          factor = isSketch ? signOf(runs++) : 1;
        }
        const to = Math.min(end, from + more);
        const shift = place - from;
        for (let at = from; at < to; at++) {
          const change = (values[at] as number) - (origin[at] as number);
          sum += change * change;
          sums[at + shift] = (sums[at + shift] as number) + factor * change;
        }
        more -= to - from;
        place = to + shift === length ? 0 : to + shift;
        from = to;
      }
      squares[0] = sum;
      [next, run, left, sign] = [place, runs, more, factor];
    },
  };
}

/** 1 or -1 by the bits of a number, mixed (the finaliser of MurmurHash3): the same for all updates. */
function signOf(number: number): number {
  let bits = Math.imul(number ^ (number >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return ((bits ^ (bits >>> 16)) & 1) * 2 - 1;
}

function dot(a: Float64Array | Float32Array | Int16Array, b: Float64Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at++) sum += (a[at] as number) * (b[at] as number);
  return sum;
}
