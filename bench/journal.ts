/** Keeps what was measured, so that a section that was interrupted goes on where it stopped. */
import { readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeDirectory, writeFileAtomic } from '../lib/formats/files/atomic-file.js';

/** Why a section stopped before its end: the time that it was given is used up. */
export class PausedError extends Error {
  override readonly name = 'PausedError';
}

/** Measurements by name. */
export interface Journal {
  /**
   * The measurement of that name: the earlier one, or what `measure` gives now. It must be JSON.
   *
   * @throws {PausedError} instead of beginning one when there is no time left
   */
  once<T>(name: string, measure: () => Promise<T>): Promise<T>;
  /** Forgets all: the section is complete. */
  clear(): Promise<void>;
}

/** What a journal belongs to. */
interface JournalOptions {
  /** Settings and commit: measurements under another identity do not count. */
  readonly identity: string;
  /** By `performance.now()`: no measurement begins after it. */
  readonly until?: number;
}

/** The journal in `path`. */
export async function openJournal(
  path: string,
  { identity, until = Number.POSITIVE_INFINITY }: JournalOptions,
): Promise<Journal> {
  const earlier = await readJournal(path);
  const samples = earlier?.identity === identity ? { ...earlier.samples } : {};
  return {
    async once<T>(name: string, measure: () => Promise<T>): Promise<T> {
      if (name in samples) return samples[name] as T;
      if (performance.now() >= until) throw new PausedError(`no time left for ${name}`);
      const sample = await measure();
      samples[name] = sample;
      await makeDirectory(dirname(path));
      await writeFileAtomic(path, JSON.stringify({ identity, samples }));
      return sample;
    },
    clear: () => rm(path, { force: true }),
  };
}

interface Entries {
  readonly identity: string;
  readonly samples: Readonly<Record<string, unknown>>;
}

async function readJournal(path: string): Promise<Entries | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Entries;
  } catch {
    return undefined;
  }
}
