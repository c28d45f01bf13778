/** How the report writes numbers, hashes and lists. */
import { extent, median } from 'd3-array';
import type { Manifest } from '../lib/formats/manifest.js';

/** A share as a percentage with two decimals: `97.53 %`. */
export function percent(share: number, digits = 2): string {
  return `${(share * 100).toFixed(digits)} %`;
}

/** A count with groups of thousands: `60,000`. */
export function grouped(count: number): string {
  return count.toLocaleString('en');
}

/** A share as briefly as it goes: `100 %`, `97.5 %`. */
export function shortPercent(share: number): string {
  return `${Number((share * 100).toFixed(1))} %`;
}

/** A number of any size: five digits and more, four decimals at most: `0.0312`, `752.48`, `3,406,232`. */
function figureText(value: number): string {
  const whole = Math.max(1, Math.ceil(Math.log10(Math.abs(value) + Number.EPSILON)));
  const decimals = Math.max(0, Math.min(4, 5 - whole));
  return value.toLocaleString('en', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** A value of a metric: the accuracy as a percentage. */
export function metricText(metric: string, value: number): string {
  return metric === 'accuracy' ? percent(value) : figureText(value);
}

/** A loss; one that overflowed is recorded as null. */
export function lossText(loss: number | null): string {
  return loss === null ? 'not finite' : figureText(loss);
}

/** The ε of a privacy budget that is spent; it is infinite without noise, and then recorded as null. */
export function epsilonText({ epsilon }: { readonly epsilon: number | null }): string {
  return epsilon === null ? '∞' : epsilon.toPrecision(3);
}

/** A time, to the minute. */
export const dateOf = (time: string): string => `${time.slice(0, 16).replace('T', ' ')} UTC`;

/** The start of a hash: enough to tell two apart. */
export function shortHash(sha256: string): string {
  return sha256.slice(0, 12);
}

/** A number of things in words: `1 client`, `3 clients`. */
export function groupedCount(number: number, thing: string): string {
  return `${grouped(number)} ${thing}${number === 1 ? '' : 's'}`;
}

/** A coordinate of an SVG: short, since a picture has thousands of them. */
export function coordinate(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** A partition scheme with its parameters, e.g. `dirichlet, alpha 0.5, seed 7`. */
export function partitionText({ scheme, seed, ...parameters }: Manifest['partition']): string {
  const words = Object.entries(parameters).map(
    ([name, value]) => `${name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)} ${value}`,
  );
  return [scheme, ...words, `seed ${seed}`].join(', ');
}

/** Where some numbers of things lie: `3 to 18, median 9`. */
export function spread(values: readonly number[]): string {
  const [low = 0, high = 0] = extent(values);
  if (low === high) return grouped(low);
  return `${grouped(low)} to ${grouped(high)}, median ${grouped(Math.round(median(values) ?? 0))}`;
}
