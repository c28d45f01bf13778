/** Settings of who watches a run: they change nothing about it, and none of them is on record. */
import { part } from '../setting.js';

/** Who hears of a run beside its records. */
export const WATCHING = part('watching', {});
