/**
 * How far each update of a round went from the global model, ‖Δ_k‖, and how well it agrees with the mean of all,
 * cos(Δ_k, Δ̄) with Δ̄ = Σ n_k·Δ_k / Σ n_k: found while the updates pass by, one in memory at a time.
 *
 * The mean is known when all have passed, so that something of each has to be kept. Where the differences fit into a
 * fixed memory, they are; of larger ones or more a count sketch is (Charikar, Chen, Farach-Colton 2002, Finding Frequent
 * Items in Data Streams): each number is added to one of m sums with a sign of chance, which keeps inner products but for
 * an error of about 1/√m. Many numbers are kept as whole multiples of a 32,767th of the largest, in 16 bits, which moves a
 * cosine by less than its last digit, unless it is near 0 since numbers far larger than all others cancel out. Few numbers
 * are kept as they are.
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
  /** What is found of each. */
  readonly plan: MeasuringPlan;
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

/** What is found of an update before the mean is known. */
export interface MeasuringPlan {
  /** How many sums. */
  readonly length: number;
  /** Whether they are sums of several differences each, with signs. */
  readonly isSketch: boolean;
}

/** An update whose numbers come one array after the other, in parts. */
export interface Measuring {
  /** The next numbers, and those of the global model there. */
  add(values: Float32Array, origin: Float32Array): void;
  /** What was measured. */
  end(): Measured;
}

/** What is found of one update on its own. */
export interface Measured {
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

/** Most numbers that are kept of all updates together: 1,024 of each of 10,000. */
const MAX_KEPT = 10_240_000;
/** Most sums of a sketch, which stay in a processor's cache: a cosine is off by about 0.004. */
const MAX_SKETCH = 65_536;
/** Fewest sums of a sketch: with fewer a cosine would be off by more than 0.03. Fewer numbers are kept as they are. */
const MIN_SKETCH = 1024;

interface Passed {
  readonly client: number | undefined;
  readonly norm: number;
}

/** A meter of updates that started from `global`, `most` of them at most, of which `maxKept` numbers may be kept. */
export function createUpdateMeter(
  global: Weights,
  { most, maxKept = MAX_KEPT }: { readonly most: number; readonly maxKept?: number },
): UpdateMeter {
  const parameters = parameterCount(global);
  const room = Math.floor(maxKept / Math.max(1, most));
  const isSketch = room < parameters;
  const length = isSketch ? Math.max(MIN_SKETCH, Math.min(room - (room % RUN), MAX_SKETCH)) : parameters;
  // Of far too many updates the norms alone are told.
  const isKept = room >= Math.min(parameters, MIN_SKETCH);
  const passed: Passed[] = [];
  const kept = isKept ? keptUpdates(length, most) : undefined;
  const count: UpdateMeter['count'] = ({ sums, squares }, { client, examples }) => {
    kept?.add(sums, examples);
    passed.push({ client, norm: Math.sqrt(squares) });
  };
  const plan = { length, isSketch };
  return {
    plan,
    begin: () => beginMeasuring(new Float32Array(length), plan),
    count,
    async *pass(updates) {
      const sums = new Float32Array(length);
      for await (const update of updates) {
        count(measureUpdate(update.weights, { global, sums, plan }), update);
        yield update;
      }
    },
    medianNorm: () => significant(medianOfNumbers(passed.map(({ norm }) => norm))),
    found() {
      const cosineOf = kept?.cosines();
      return passed.flatMap(({ client, norm }, index) => {
        if (client === undefined) return [];
        const cosine = cosineOf?.(index) ?? Number.NaN;
        return {
          client,
          norm: significant(norm),
          ...(Number.isFinite(cosine) ? { cosine: Math.round(cosine * 1e4) / 1e4 } : {}),
        };
      });
    },
  };
}

/** What is kept of updates for their cosines. */
interface KeptUpdates {
  add(sums: Float32Array, examples: number): void;
  /** The cosine of each and the mean, when all were added. */
  cosines(): (index: number) => number;
}

const MAX_INT16 = 2 ** 15 - 1;
/** Added to a number below 2^51 and taken away again, it leaves the nearest whole one. */
const ROUNDING = 1.5 * 2 ** 52;

/** Keeps `length` numbers of each of `most` updates. */
function keptUpdates(length: number, most: number): KeptUpdates {
  // Memory that nothing is written into yet takes no room.
  const kept = new (length < MIN_SKETCH ? Float32Array : Int16Array)(most * length);
  const ownOf = (at: number) => kept.subarray(at * length, (at + 1) * length);
  const lengths = new Float64Array(most);
  // Added to as updates come, while clients still train: at the end of a round everybody waits.
  const mean = new Float64Array(length);
  let count = 0;
  return {
    add(sums, examples) {
      const own = ownOf(count);
      const unit = own instanceof Int16Array ? toWhole(sums, own) : 1;
      if (own instanceof Float32Array) own.set(sums);
      const factor = examples * unit;
      let square = 0;
      for (let at = 0; at < length; at++) {
        const value = own[at] as number;
        square += value * value;
        mean[at] = (mean[at] as number) + factor * value;
      }
      lengths[count++] = Math.sqrt(square);
    },
    cosines() {
      const meanLength = Math.sqrt(dot(mean, mean));
      // The unit of an update is above and below.
      return (index) => dot(ownOf(index), mean) / ((lengths[index] as number) * meanLength);
    },
  };
}

/** Rounds numbers to whole multiples of the unit that is returned. */
function toWhole(sums: Float32Array, into: Int16Array): number {
  let largest = 0;
  for (let at = 0; at < sums.length; at++) largest = Math.max(largest, Math.abs(sums[at] as number));
  if (largest === 0) return 1;
  const unit = largest / MAX_INT16;
  const factor = 1 / unit;
  for (let at = 0; at < sums.length; at++) into[at] = (sums[at] as number) * factor + ROUNDING - ROUNDING;
  return unit;
}

const significant = (norm: number): number => Number(norm.toPrecision(6));

/** Numbers in a row that have one sign in a sketch: drawing one for each would take longer than all else. */
const RUN = 8;

/** Measures an update, into `sums`, whatever they hold. */
export function measureUpdate(
  weights: Weights,
  {
    global,
    sums,
    plan,
  }: { readonly global: Weights; readonly sums: Float32Array; readonly plan: MeasuringPlan },
): Measured {
  const measuring = beginMeasuring(sums.fill(0), plan);
  for (const [index, { values }] of weights.entries()) {
    measuring.add(values, (global[index] as WeightArray).values);
  }
  return measuring.end();
}

/** Begins to measure an update into zeros, of a sketch a multiple of `RUN`. */
function beginMeasuring(sums: Float32Array, { length, isSketch }: MeasuringPlan): Measuring {
  // Of the runs that have ended, and of the one that has not: the same in whatever parts the numbers come.
  const squares = new Float64Array(2);
  let [next, run, left] = [0, 0, RUN];
  return {
    end: () => ({ sums, squares: (squares[0] as number) + (squares[1] as number) }),
    add(values, origin) {
      let whole = squares[0] as number;
      let part = squares[1] as number;
      let place = next;
      for (let at = 0; at < values.length; ) {
        const sign = isSketch ? signOf(run) : 1;
        let change = 0;
        if (left === RUN && values.length - at >= RUN) {
          // Written out: V8 unrolls no loop, and takes half as long again for one.
          change = (values[at] as number) - (origin[at] as number);
          part += change * change;
          sums[place] = (sums[place] as number) + sign * change;
          change = (values[at + 1] as number) - (origin[at + 1] as number);
          part += change * change;
          sums[place + 1] = (sums[place + 1] as number) + sign * change;
          change = (values[at + 2] as number) - (origin[at + 2] as number);
          part += change * change;
          sums[place + 2] = (sums[place + 2] as number) + sign * change;
          change = (values[at + 3] as number) - (origin[at + 3] as number);
          part += change * change;
          sums[place + 3] = (sums[place + 3] as number) + sign * change;
          change = (values[at + 4] as number) - (origin[at + 4] as number);
          part += change * change;
          sums[place + 4] = (sums[place + 4] as number) + sign * change;
          change = (values[at + 5] as number) - (origin[at + 5] as number);
          part += change * change;
          sums[place + 5] = (sums[place + 5] as number) + sign * change;
          change = (values[at + 6] as number) - (origin[at + 6] as number);
          part += change * change;
          sums[place + 6] = (sums[place + 6] as number) + sign * change;
          change = (values[at + 7] as number) - (origin[at + 7] as number);
          part += change * change;
          sums[place + 7] = (sums[place + 7] as number) + sign * change;
          at += RUN;
          place += RUN;
          left = 0;
        } else {
          change = (values[at] as number) - (origin[at] as number);
          part += change * change;
          sums[place] = (sums[place] as number) + sign * change;
          at++;
          place++;
          left--;
        }
        if (left > 0) continue;
        whole += part;
        part = 0;
        left = RUN;
        run++;
        if (place === length) place = 0;
      }
      squares[0] = whole;
      squares[1] = part;
      next = place;
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
