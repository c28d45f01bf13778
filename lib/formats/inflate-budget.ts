/** How much the arrays of a file may come to in memory: a small file that is large inside was made to exhaust it. */

/** Below this, no file is called a bomb: any machine that trains has as much to spare. */
export const SMALL_BYTES = 64e6;
/** Images deflate to a fifth or so; what grows more than this was made to exhaust memory. */
export const MAX_EXPANSION = 100;
/** Node reads no file beyond 2 GiB at once, so more than that could not have been stored without compression. */
const MAX_BYTES = 2 ** 31 - 1;

/** How many bytes the arrays of a file of so many bytes may come to when inflated, all together. */
export function inflateBudget(fileBytes: number): number {
  return Math.min(MAX_BYTES, Math.max(SMALL_BYTES, fileBytes * MAX_EXPANSION));
}
