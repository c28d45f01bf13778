/** How long a timer of Node's may wait. */

/** Told to wait longer, `setTimeout` does not wait at all. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The most that a setting takes which a timer ends: 24 days. */
export const MAX_TIMER_SECONDS = Math.floor(LONGEST_TIMER_MS / 1000);

/**
 * The time that a timer is to wait, as it takes it: whole, as `AbortSignal.timeout` refuses what 32.3 s are in milliseconds
 * (32299.999999999996), and at most what it can wait.
 */
export const timerMs = (ms: number): number => Math.round(Math.min(LONGEST_TIMER_MS, Math.max(0, ms)));
