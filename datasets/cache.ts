/** Where datasets are kept between runs, and what providing one needs to know. */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { Reporter } from '../lib/observability/events.js';

/** The surroundings. */
export interface DatasetContext {
  readonly reporter: Reporter;
  readonly signal?: AbortSignal | undefined;
  /** Directory of cached datasets. */
  readonly cacheDirectory: string;
}

/** A dataset file, and whether it was there already. */
export interface Provided {
  readonly file: string;
  readonly skipped: boolean;
}

/**
 * The directory of cached datasets: `FEDBATCH_CACHE_DIR`, else `fedbatch` below `XDG_CACHE_HOME` or below `~/.cache`.
 * Touches no file.
 */
export function cacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const { FEDBATCH_CACHE_DIR: own, XDG_CACHE_HOME: shared } = environment;
  if (own) return own;
  // The XDG base directory specification says to ignore relative paths.
  return join(shared && isAbsolute(shared) ? shared : join(homedir(), '.cache'), 'fedbatch');
}
