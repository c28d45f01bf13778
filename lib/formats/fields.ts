/** Fields that several records share: hashes, counts, partition schemes, strategies, and the privacy spent. */
import { z } from 'zod';
import type { PartitionSettings } from '../federation/partition/settings.js';
import type { PrivacyRecord } from '../federation/privacy/privacy-record.js';
import type { StrategySettings } from '../federation/strategies/strategy-settings.js';
import { PARTITION, SCHEME } from '../settings/parts/partition.js';
import { STRATEGY, STRATEGY_NAME } from '../settings/parts/strategy.js';
import { schemaOfVariants } from '../settings/schema.js';

/** A sha256 in hexadecimal. */
export const hashField = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits');

/** A number of things, or the number of a client or round. */
export const countField = z.int().nonnegative();

/** A part of a whole, an accuracy for example. */
export const shareField = z.number().min(0).max(1);

/** A loss; null where it overflowed, since JSON has no NaN. */
export const lossField = z.number().nullable();

/** Where something went wrong with one client, and why. */
export const clientReasonField = z.object({
  client: countField.describe('The client.'),
  reason: z.string().describe('Why, in one sentence.'),
});

/** In run.json, where the first version wrote the scheme's name alone. */
export const partitionSettingsSchema = z.preprocess(
  (value) => (typeof value === 'string' ? { scheme: value } : value),
  schemaOfVariants(PARTITION.settings, SCHEME),
) as unknown as z.ZodType<PartitionSettings>;

/** In manifest.json, with the seed that it was drawn with. */
export const seededPartitionSchema = schemaOfVariants(PARTITION.settings, SCHEME, {
  seed: z.int().nonnegative(),
}) as unknown as z.ZodType<PartitionSettings & { readonly seed: number }>;

/** `strategy` in run.json; where it is absent, FedAvg. */
export const strategySettingsSchema = schemaOfVariants(
  STRATEGY.settings,
  STRATEGY_NAME,
) as unknown as z.ZodType<StrategySettings>;

/** `privacy` of a round's aggregation in round.json. */
export const privacySpentSchema: z.ZodType<PrivacyRecord> = z.object({
  epsilon: z.number().nullable(),
  epsilonPoisson: z.number().nullable(),
  delta: z.number(),
  redraws: z.int().positive().optional(),
  clip: z.number().positive().optional(),
});
