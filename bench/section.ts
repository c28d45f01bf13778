/** What every section of `npm run bench` shares: its options, its table, and how fedbatch is started. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Journal } from './journal.js';
import { type ProcessSample, sampleProcess } from './measure.js';
import type { Table } from './report.js';

/** Settings that all sections share. */
export interface BenchOptions {
  /** The dataset (npz with x_train, …): MNIST. */
  readonly data: string;
  /** How often each side runs, in turn. */
  readonly rounds: number;
  /** Where finished measurements are kept until the section is complete. */
  readonly journal: Journal;
  /** Size of each file that a section makes of its own. */
  readonly megabytes: number;
  /** Rounds of a long run. */
  readonly federatedRounds: number;
  /** The folder dist of another build, to compare with. */
  readonly baseline?: string;
  /** Measure those attacks alone whose names contain this, beside the quiet server. */
  readonly only?: string;
}

/** Measures one thing and returns its table. @throws {SkippedError} where something that it needs is missing */
export type Section = (options: BenchOptions) => Promise<Table>;

/** A compiled program of fedbatch, by its path without extension. */
export const program = (path: string): string => fileURLToPath(new URL(`../${path}.js`, import.meta.url));

/** A script of the other side, in Python. */
export const peerScript = (name: string): string => join('bench', 'peers', name);

/** Runs `fedbatch …` to its end. */
export const fedbatch = (...args: readonly string[]): Promise<ProcessSample> =>
  sampleProcess(process.execPath, [program('cli'), ...args]);

/** Lends a directory for as long as `use` takes. */
export async function withDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'fedbatch-bench-'));
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
