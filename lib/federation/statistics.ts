/**
 * What clients tell of their examples in place of the rows: sums, bounds and counts. They merge without rounding, so that
 * all clients together give the same numbers in any order and in any grouping.
 */
import { createExactSums, fromUnits, toUnits } from '../core/exact-sum.js';
import {
  type ExampleArray,
  type ExampleValues,
  type InputForm,
  imageShape,
  isImageForm,
  takeRows,
} from './examples.js';

/** Of numbers: each array has an element for each feature, which is a place of the last axis. */
export interface NumberStatistics {
  readonly kind: 'numbers';
  /** Values that a 32-bit float holds, and others: NaN stands for a missing one. */
  readonly values: Float64Array;
  readonly missing: Float64Array;
  /** Clients that have a value, and those that lack one. */
  readonly clients: Float64Array;
  readonly lacking: Float64Array;
  /** Arrays that add up to Σ x, exactly; and those of Σ x². */
  readonly sums: readonly Float64Array[];
  readonly squares: readonly Float64Array[];
  /** The least values of as many clients as are asked for, the lowest first; NaN where there are fewer clients. */
  readonly least: readonly Float64Array[];
  /** The greatest ones likewise, the highest first. */
  readonly most: readonly Float64Array[];
}

/** Of categories or labels: how often each number occurs, and with how many clients. */
export interface CategoryStatistics {
  readonly kind: 'categories';
  readonly counts: ReadonlyMap<number, Tally>;
}

/** How often something occurs, and with how many clients. */
export interface Tally {
  readonly values: number;
  readonly clients: number;
}

/** Largest 32-bit float: what a model is given; the square of no such number overflows. */
export const MAX_FLOAT = 3.4028234663852886e38;

/** Number of features: channels of an image, places of the last axis of anything else. */
export function featuresOf(input: InputForm): number {
  return isImageForm(input) ? imageShape(input)[2] : (input.shape.slice(1).at(-1) ?? 1);
}

/** One client's numbers, which come in pieces of whole examples, each value of the next feature. */
export function createNumberStatistics(features: number) {
  const zeros = () => new Float64Array(features);
  const [values, missing] = [zeros(), zeros()];
  // A block of one feature at a time: what is added up stays in registers.
  const [block, squared, rest] = [0, 1, 2].map(() => new Float64Array(STATISTICS_BLOCK)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const least = zeros().fill(Number.POSITIVE_INFINITY);
  const most = zeros().fill(Number.NEGATIVE_INFINITY);
  const [sums, squares] = [createExactSums(features), createExactSums(features)];
  return {
    add(piece: ExampleValues) {
      const blockLength = STATISTICS_BLOCK * features;
      // Squares of 32-bit floats, and of bytes, are exact.
      const isExact = piece instanceof Float32Array || piece instanceof Uint8Array;
      for (let start = 0; start < piece.length; start += blockLength) {
        const end = Math.min(start + blockLength, piece.length);
        for (let feature = 0; feature < features; feature++) {
          let count = 0;
          let [low, high] = [least[feature] as number, most[feature] as number];
          for (let at = start + feature; at < end; at += features) {
            const value = piece[at] as number;
            if (!(Math.abs(value) <= MAX_FLOAT)) continue;
            if (value < low) low = value;
            if (value > high) high = value;
            block[count] = value;
            squared[count++] = value * value;
          }
          sums.addRun(feature, block, count);
          squares.addRun(feature, squared, count);
          if (!isExact) {
            for (let each = 0; each < count; each++) rest[each] = squareError(block[each] as number);
            squares.addRun(feature, rest, count);
          }
          least[feature] = low;
          most[feature] = high;
          values[feature] = (values[feature] as number) + count;
          missing[feature] =
            (missing[feature] as number) + Math.ceil((end - start - feature) / features) - count;
        }
      }
    },
    told(): NumberStatistics {
      // Adding 0 makes 0 of -0, which no order of clients then tells apart.
      const known = (bound: number) => (Number.isFinite(bound) ? bound + 0 : Number.NaN);
      return {
        kind: 'numbers',
        values: values.slice(),
        missing: missing.slice(),
        clients: values.map((count) => Math.min(count, 1)),
        lacking: missing.map((count) => Math.min(count, 1)),
        sums: sums.parts(),
        squares: squares.parts(),
        least: [least.map(known)],
        most: [most.map(known)],
      };
    },
  };
}

/** One client's categories, which come in pieces. */
export function createCategoryStatistics() {
  const counts = new Map<number, number>();
  /** Of small numbers, which categories are: several times as fast. */
  const ofSmall = new Float64Array(MOST_SMALL);
  return {
    add(piece: ExampleValues) {
      for (let at = 0; at < piece.length; at++) {
        const value = piece[at] as number;
        // Whether it is a place in the array: a number below 0, with a fraction or NaN is none.
        if (value < MOST_SMALL && ofSmall[value] !== undefined)
          ofSmall[value] = (ofSmall[value] as number) + 1;
        else counts.set(value, (counts.get(value) ?? 0) + 1);
      }
    },
    told(): CategoryStatistics {
      const all = new Map(counts);
      for (const [value, count] of ofSmall.entries()) if (count > 0) all.set(value, count);
      const tallies = [...all].map(([value, count]) => [value, { values: count, clients: 1 }] as const);
      return { kind: 'categories', counts: new Map(tallies.sort(([a], [b]) => a - b)) };
    },
  };
}

/** Numbers below this one are counted in an array. */
const MOST_SMALL = 1024;

/** Rows whose numbers are added up at once. */
const STATISTICS_BLOCK = 512;

/** Rows that are copied at once. */
const BLOCK_ROWS = 4096;

/** The numbers of the rows, in pieces of whole ones; without rows those of all. */
export function* piecesOf(array: ExampleArray, rows?: ArrayLike<number>): Generator<ExampleValues> {
  if (rows === undefined) {
    yield array.values;
    return;
  }
  for (let from = 0; from < rows.length; from += BLOCK_ROWS) {
    const block = { length: Math.min(BLOCK_ROWS, rows.length - from) };
    yield takeRows(
      array,
      Uint32Array.from(block, (_, at) => rows[from + at] as number),
    ).values;
  }
}

/** What a product of a float64 with itself leaves of the square (Dekker 1971); nothing of a float32. */
function squareError(value: number): number {
  if (Math.fround(value) === value) return 0;
  const shifted = 134217729 * value;
  const high = shifted - (shifted - value);
  const low = value - high;
  return high * high - value * value + 2 * high * low + low * low;
}

/**
 * What both tell together, of other clients each; the bounds are those of `fewest` clients.
 *
 * @throws {RangeError} where they are not of the same kind of numbers
 */
export function mergeStatistics<S extends NumberStatistics | CategoryStatistics>(
  one: S,
  other: S,
  fewest?: number,
): S;
export function mergeStatistics(
  one: NumberStatistics | CategoryStatistics,
  other: NumberStatistics | CategoryStatistics,
  fewest = 1,
): NumberStatistics | CategoryStatistics {
  if (one.kind === 'categories' && other.kind === 'categories') return mergeCategories(one, other);
  if (one.kind === 'categories' || other.kind === 'categories' || one.values.length !== other.values.length)
    throw new RangeError('statistics of different features cannot be merged');
  const add = (a: Float64Array, b: Float64Array) => a.map((value, at) => value + (b[at] as number));
  return {
    kind: 'numbers',
    values: add(one.values, other.values),
    missing: add(one.missing, other.missing),
    clients: add(one.clients, other.clients),
    lacking: add(one.lacking, other.lacking),
    sums: addParts(one.sums, other.sums),
    squares: addParts(one.squares, other.squares),
    least: outermost([...one.least, ...other.least], { fewest, compare: (a, b) => a - b }),
    most: outermost([...one.most, ...other.most], { fewest, compare: (a, b) => b - a }),
  };
}

/**
 * Merges what clients tell, one after the other: two parts of about as many clients each, so that what many clients have
 * together is not copied for each further one.
 */
export function createMerger<S extends NumberStatistics | CategoryStatistics>(fewest: number) {
  const parts: { readonly clients: number; readonly told: S }[] = [];
  return {
    add(told: S) {
      let part = { clients: 1, told };
      for (let last = parts.at(-1); last && last.clients <= part.clients; last = parts.at(-1)) {
        parts.pop();
        part = {
          clients: last.clients + part.clients,
          told: mergeStatistics(last.told, part.told, fewest),
        };
      }
      parts.push(part);
    },
    /** Undefined where nobody told anything. */
    merged: (): S | undefined =>
      parts
        .map(({ told }) => told)
        .reduceRight<S | undefined>(
          (all, told) => (all === undefined ? told : mergeStatistics(told, all, fewest)),
          undefined,
        ),
  };
}

function mergeCategories(one: CategoryStatistics, other: CategoryStatistics): CategoryStatistics {
  const counts = new Map(one.counts);
  for (const [value, { values, clients }] of other.counts) {
    const known = counts.get(value);
    counts.set(value, { values: values + (known?.values ?? 0), clients: clients + (known?.clients ?? 0) });
  }
  return { kind: 'categories', counts: new Map([...counts].sort(([a], [b]) => a - b)) };
}

function addParts(one: readonly Float64Array[], other: readonly Float64Array[]): readonly Float64Array[] {
  const sums = createExactSums(one[0]?.length ?? 0);
  for (const part of [...one, ...other]) sums.add(part);
  return sums.parts();
}

interface Outermost {
  readonly fewest: number;
  readonly compare: (a: number, b: number) => number;
}

/** Feature by feature the first `fewest` numbers of all ranks, in order. */
function outermost(ranks: readonly Float64Array[], { fewest, compare }: Outermost): readonly Float64Array[] {
  const features = ranks[0]?.length ?? 0;
  const kept = Array.from({ length: Math.min(fewest, ranks.length) }, () =>
    new Float64Array(features).fill(Number.NaN),
  );
  for (let feature = 0; feature < features; feature++) {
    const all = ranks.map((rank) => rank[feature] as number).filter((value) => !Number.isNaN(value));
    for (const [at, value] of all.sort(compare).slice(0, fewest).entries())
      (kept[at] as Float64Array)[feature] = value;
  }
  return kept;
}

/**
 * The counts that are not told: those of fewer than `fewest` clients, and with them the least of the others. All counts come
 * to the number of examples, which is known, so that what is withheld alone would follow from the rest.
 */
export function withheldOf<K>(counts: ReadonlyMap<K, Tally>, fewest: number): ReadonlySet<K> {
  const occurring = [...counts].filter(([, { values }]) => values > 0);
  const few = occurring.filter(([, { clients }]) => clients < fewest);
  const others = occurring.filter(([, { clients }]) => clients >= fewest);
  const [least] = others.sort(([, one], [, other]) => one.values - other.values);
  return new Set([...few, ...(few.length > 0 && least !== undefined ? [least] : [])].map(([key]) => key));
}

/** What is told of one feature; bounds that too few clients reach are left out. */
export interface FeatureFacts {
  readonly values: number;
  readonly missing: number;
  readonly clients: number;
  readonly mean: number;
  readonly variance: number;
  /** A value that as many clients as are asked for have, or go below. */
  readonly least: number;
  /** One that as many have, or go above. */
  readonly most: number;
}

/** The features, in order; undefined for one of which fewer than `fewest` clients have a value. */
export function describeFeatures(
  { values, missing, clients, sums, squares, least, most }: NumberStatistics,
  fewest = 1,
): readonly (FeatureFacts | undefined)[] {
  return Array.from(values, (count, at) => {
    if (count === 0 || (clients[at] as number) < fewest) return undefined;
    const total = (parts: readonly Float64Array[]) =>
      parts.reduce((sum, part) => sum + toUnits(part[at] as number), 0n);
    const [sum, square, n] = [total(sums), total(squares), BigInt(count)];
    // n Σx² − (Σx)² in whole numbers: nothing cancels, however far from 0 the numbers lie.
    const spread = n * (square << SUBNORMAL_BITS) - sum * sum;
    return {
      values: count,
      missing: missing[at] as number,
      clients: clients[at] as number,
      mean: fromUnits(sum / n),
      variance: fromUnits(spread / ((n * n) << SUBNORMAL_BITS)),
      least: least[fewest - 1]?.[at] as number,
      most: most[fewest - 1]?.[at] as number,
    };
  });
}

/** Sums are counted in units of 2^-1074, see `toUnits`. */
const SUBNORMAL_BITS = 1074n;
