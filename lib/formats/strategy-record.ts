/** How a strategy's settings and the privacy spent are written in a run's records. */
import { z } from 'zod';
import type { PrivacyRecord } from '../federation/privacy/privacy-record.js';
import type { StrategySettings } from '../federation/strategies/strategy-settings.js';
import { STRATEGY, STRATEGY_NAME } from '../settings/parts/strategy.js';
import { schemaOfVariants } from '../settings/schema.js';

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
