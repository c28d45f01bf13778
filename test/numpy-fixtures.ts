/** Arrays that numpy wrote, and what it says is in them. */
import { readFileSync } from 'node:fs';
import type { NpyArray } from '../lib/formats/data/npy.js';

const directory = new URL('../../lib/formats/fixtures/npy/', import.meta.url);

/** The bytes of a fixture. */
export const numpyFixture = (name: string): Buffer => readFileSync(new URL(name, directory));

/** What numpy read of each fixture, by its name, as the generator wrote it. */
export const numpyExpected = JSON.parse(numpyFixture('expected.json').toString()) as Readonly<
  Record<string, object>
>;

/** Values as numpy's expectations write them. */
export function numpyValues({ dtype, values }: Pick<NpyArray, 'dtype' | 'values'>): readonly unknown[] {
  return [...values].map((value) => {
    if (dtype === 'bool') return value === 1;
    if (typeof value === 'bigint') return String(value);
    return Number.isFinite(value)
      ? value
      : { NaN: 'nan', Infinity: 'inf', '-Infinity': '-inf' }[String(value)];
  });
}
