/** What the server wants to know of an update, found in the worker that has just written it. */
import { whyUnusable } from '../lib/federation/client-update.js';
import { measureUpdate } from '../lib/federation/update-measures.js';
import type { ExaminedUpdate, SimulatedRound, UpdateSlot } from './worker-messages.js';

/** Looks at the update in a slot: its memory lies close to this core, and another one takes twice as long to read it. */
export function examineUpdate(
  { weights, sums }: UpdateSlot,
  { global, measuring }: Pick<SimulatedRound, 'global' | 'measuring'>,
): ExaminedUpdate {
  const measured = measuring && measureUpdate(weights, { global: global.weights, sums, plan: measuring });
  return { unusable: whyUnusable(weights), squares: measured?.squares };
}
