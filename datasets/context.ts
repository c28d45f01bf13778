/** What providing a dataset needs to know of its surroundings, and what comes of it. */
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
