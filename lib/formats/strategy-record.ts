/** How a strategy's settings and the privacy spent are written in a run's records. */
import { z } from 'zod';
import type { PrivacyRecord } from '../federation/privacy/privacy-record.js';
import { type StrategySettings, strategies } from '../federation/strategies/strategy-settings.js';

const around = {
  clipNorm: z.number().optional(),
  privacy: z
    .strictObject({
      clip: z.number(),
      noise: z.number(),
      delta: z.number(),
      noiseSource: z.enum(['system', 'seed']),
    })
    .optional(),
};

/** `strategy` in run.json; where it is absent, FedAvg. */
export const strategySettingsSchema = z.union(
  strategies.map(({ name, parameters }) =>
    z.strictObject({
      name: z.literal(name),
      ...Object.fromEntries(
        Object.entries(parameters).map(([parameter, declared]) => [
          parameter,
          declared.default === undefined ? z.number().optional() : z.number(),
        ]),
      ),
      ...around,
    }),
  ),
) as unknown as z.ZodType<StrategySettings>;

/** `privacy` of a round's aggregation in round.json. */
export const privacySpentSchema: z.ZodType<PrivacyRecord> = z.object({
  epsilon: z.number().nullable(),
  epsilonPoisson: z.number().nullable(),
  delta: z.number(),
  redraws: z.int().positive().optional(),
});
