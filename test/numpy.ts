/** numpy as the judge of what we read and write: a Python that has it, and arrays that it wrote. */
import { readFileSync } from 'node:fs';
import { execa } from 'execa';
import type { NpyArray } from '../lib/formats/data/npy.js';

/** Where a Python with numpy may be: `FEDBATCH_PYTHON`, then the usual names. */
const CANDIDATES = [process.env.FEDBATCH_PYTHON ?? 'python3', 'python3', '/usr/bin/python3'];

/** Command of a Python that has numpy; undefined where there is none. */
export async function findNumpy(): Promise<string | undefined> {
  for (const python of new Set(CANDIDATES)) {
    const { failed } = await execa(python, ['-c', 'import numpy'], { reject: false });
    if (!failed) return python;
  }
  return undefined;
}

/** Runs a Python script with arguments and returns what it prints. @throws when it fails. */
export async function runPython(python: string, script: string, argv: readonly string[]): Promise<string> {
  const { stdout } = await execa(python, ['-c', script, ...argv]);
  return stdout;
}

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
