/** Histograms between edges that all clients know, counted by each and added up; and the quantiles that follow from them. */
import type { ExampleValues } from './examples.js';
import { type FeatureFacts, MAX_FLOAT } from './statistics.js';

/** The bins of a feature: equally wide from `least` to `most`; what lies beyond belongs to the first and the last. */
export interface Bins {
  readonly least: number;
  readonly most: number;
  readonly bins: number;
}

/** One bin. */
interface Bin {
  readonly values: number;
  /** The lowest numbers of the clients that have values in it, as many as are asked for. */
  readonly holders: readonly number[];
}

/** A bin for each of the feature's. */
export type Histogram = readonly Bin[];

/** Bins that enough clients have values in: `edges` has an element more than `counts`. */
export interface PublicHistogram {
  readonly edges: readonly number[];
  readonly counts: readonly number[];
  /** Bins that became one with a neighbour. */
  readonly merged: number;
}

/** Neighbouring bins that are told as one, from the bin `from` on. */
interface Group extends Bin {
  readonly from: number;
}

/** So many bins over the values of a feature. */
export function binsBetween({ least, most }: Pick<FeatureFacts, 'least' | 'most'>, bins: number): Bins {
  // With bounds of several clients the least may lie above the greatest.
  const [from, to] = least <= most ? [least, most] : [most, least];
  return { least: from, most: to, bins: from === to ? 1 : bins };
}

/** One client's histograms, one for each feature that has bins; its numbers come in pieces as for `createNumberStatistics`. */
export function createHistograms(binsOf: readonly (Bins | undefined)[], client: number) {
  const counts = binsOf.map((each) => new Float64Array(each?.bins ?? 0));
  return {
    add(piece: ExampleValues) {
      for (let at = 0; at < piece.length; at++) {
        const feature = at % binsOf.length;
        const [bins, own] = [binsOf[feature], counts[feature] as Float64Array];
        const value = piece[at] as number;
        if (bins === undefined || !(Math.abs(value) <= MAX_FLOAT)) continue;
        const bin = binAt(bins, value);
        own[bin] = (own[bin] as number) + 1;
      }
    },
    told: (): readonly Histogram[] =>
      counts.map((own) => Array.from(own, (values) => ({ values, holders: values > 0 ? [client] : [] }))),
  };
}

function binAt({ least, most, bins }: Bins, value: number): number {
  const place = Math.floor(((value - least) / (most - least)) * bins);
  // Of one value alone the width is 0.
  return Number.isNaN(place) ? 0 : Math.min(Math.max(place, 0), bins - 1);
}

/** Both together, of other clients each; `fewest` clients of a bin are remembered. */
export function mergeHistograms(one: Histogram, other: Histogram, fewest = 1): Histogram {
  return one.map((bin, at) => joined(bin, other[at] as Bin, fewest));
}

function joined(one: Bin, other: Bin, fewest: number): Bin {
  if (other.values === 0) return one;
  const holders = [...new Set([...one.holders, ...other.holders])].sort((a, b) => a - b);
  return { values: one.values + other.values, holders: holders.slice(0, fewest) };
}

/**
 * What may be told of a histogram: a bin in which fewer than `fewest` clients have values becomes one with those that
 * follow, or at the end with those before; undefined where all of them have too few.
 */
export function publicHistogram(
  { least, most, bins }: Bins,
  histogram: Histogram,
  fewest = 1,
): PublicHistogram | undefined {
  const groups: Group[] = [];
  let open: Group | undefined;
  for (const [from, bin] of histogram.entries()) {
    const group = open === undefined ? { ...bin, from } : { ...joined(open, bin, fewest), from: open.from };
    const isTold = group.holders.length >= fewest || (open === undefined && bin.values === 0);
    open = isTold ? undefined : group;
    if (isTold) groups.push(group);
  }
  while (open !== undefined) {
    const before = groups.pop();
    if (before === undefined) return undefined;
    const group: Group = { ...joined(before, open, fewest), from: before.from };
    open = group.holders.length >= fewest ? undefined : group;
    if (open === undefined) groups.push(group);
  }
  const edge = (at: number) => (at === bins ? most : least + ((most - least) * at) / bins);
  return {
    edges: [...groups.map(({ from }) => edge(from)), most],
    counts: groups.map(({ values }) => values),
    merged: bins - groups.length,
  };
}

/** The value below which the share `share` of all values lies, as if those of a bin were spread over it evenly. */
export function quantileOf({ edges, counts }: PublicHistogram, share: number): number {
  const wanted = share * counts.reduce((sum, count) => sum + count, 0);
  let below = 0;
  for (const [at, count] of counts.entries()) {
    const [from, to] = [edges[at] as number, edges[at + 1] as number];
    if (count > 0 && below + count >= wanted) return from + ((to - from) * (wanted - below)) / count;
    below += count;
  }
  return edges.at(-1) as number;
}
