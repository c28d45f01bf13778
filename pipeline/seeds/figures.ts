/** Mean and spread of every number that several runs report. */
import { deviation, extent, mean } from 'd3-array';
import type { Figure, Figures } from '../../lib/formats/repeated-run.js';

/**
 * The figures of several results, by their places in them (`best.accuracy`), in the order in which they occur. Switches
 * count as 0 and 1; what is no finite number, or stands in a list, is left out.
 */
export function figuresOf(results: readonly object[]): Figures {
  const found = new Map<string, number[]>();
  for (const result of results) {
    for (const [place, value] of numbersIn(result)) found.set(place, [...(found.get(place) ?? []), value]);
  }
  return Object.fromEntries([...found].map(([place, values]) => [place, figureOf(values)]));
}

/** Of at least one value. */
function figureOf(values: readonly number[]): Figure {
  const [least = Number.NaN, most = Number.NaN] = extent(values);
  const sd = deviation(values) ?? null;
  return { mean: mean(values) ?? Number.NaN, sd, least, most, runs: values.length };
}

function* numbersIn(result: object, prefix = ''): Generator<readonly [place: string, value: number]> {
  for (const [name, value] of Object.entries(result) as readonly (readonly [string, unknown])[]) {
    const place = `${prefix}${name}`;
    if (typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))) {
      yield [place, Number(value)];
    } else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      yield* numbersIn(value, `${place}.`);
    }
  }
}
