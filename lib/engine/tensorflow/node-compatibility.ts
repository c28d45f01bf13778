/** What TensorFlow.js 4.22 expects of Node and later Nodes no longer have. */
import { createRequire } from 'node:module';

/**
 * `@tensorflow/tfjs-node` 4.22 calls `util.isNullOrUndefined`, which Node 23 removed (tensorflow/tfjs issue 8609): it is
 * put back where it is missing. Call before the package is loaded.
 */
export function restoreRemovedUtilities(): void {
  // The module object itself: an import's namespace cannot be added to.
  const util = createRequire(import.meta.url)('node:util') as Record<string, unknown>;
  util.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
}
