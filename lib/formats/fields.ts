/** Fields that several records share: hashes, counts, losses, and the privacy spent. */
import { z } from 'zod';
import type { PrivacyRecord } from '../federation/privacy/privacy-record.js';

/** A sha256 in hexadecimal. */
export const hashField = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits');

/** A number of things, or the number of a client or round. */
export const countField = z.int().nonnegative();

/** A part of a whole, an accuracy for example. */
export const shareField = z.number().min(0).max(1);

/** `metrics` of a test: what was found, by the name of the metric. */
export const metricsField = z
  .record(z.string(), z.number())
  .describe(
    'All metrics of the task by name, e.g. `rmse`; those that the examples do not allow are left out.',
  );

/** `leads` of a test. */
export const leadsField = z
  .string()
  .describe('The metric that says how good the model is, where the file of a task chose it.');

/** A loss; null where it overflowed, since JSON has no NaN. */
export const lossField = z.number().nullable();

/** Where something went wrong with one client, and why. */
export const clientReasonField = z.object({
  client: countField.describe('The client.'),
  reason: z.string().describe('Why, in one sentence.'),
});

/** `privacy` of a round's aggregation in round.json. */
export const privacySpentSchema: z.ZodType<PrivacyRecord> = z.object({
  epsilon: z.number().nullable(),
  epsilonPoisson: z.number().nullable(),
  delta: z.number(),
  redraws: z.int().positive().optional(),
  clip: z.number().positive().optional(),
});

/** Whether no client is among them twice. */
export function isEachOnce(clients: readonly { readonly client: number }[]): boolean {
  return new Set(clients.map(({ client }) => client)).size === clients.length;
}
