/** How a strategy's settings and the privacy spent are written in a run's records. */
import { z } from 'zod';
import type { PrivacyRecord } from '../federation/privacy/privacy-record.js';
import type { StrategySettings } from '../federation/strategies/strategy-settings.js';

const number = z.number();
const adaptive = { serverLearningRate: number, beta1: number, tau: number };
const around = {
  clipNorm: number.optional(),
  privacy: z
    .strictObject({ clip: number, noise: number, delta: number, noiseSource: z.enum(['system', 'seed']) })
    .optional(),
};

/** `strategy` in run.json; where it is absent, FedAvg. */
export const strategySettingsSchema: z.ZodType<StrategySettings> = z.discriminatedUnion('name', [
  z.strictObject({ name: z.enum(['fedavg', 'median']), ...around }),
  z.strictObject({
    name: z.literal('fedavgm'),
    serverLearningRate: number,
    serverMomentum: number,
    ...around,
  }),
  z.strictObject({ name: z.literal('fedadagrad'), ...adaptive, ...around }),
  z.strictObject({ name: z.enum(['fedadam', 'fedyogi']), ...adaptive, beta2: number, ...around }),
  z.strictObject({ name: z.literal('trimmed-mean'), trim: number, ...around }),
  z.strictObject({ name: z.literal('krum'), byzantine: number, ...around }),
  z.strictObject({ name: z.literal('multi-krum'), byzantine: number, keep: number.optional(), ...around }),
]);

/** `privacy` of a round's aggregation in round.json. */
export const privacySpentSchema: z.ZodType<PrivacyRecord> = z.object({
  epsilon: number.nullable(),
  epsilonPoisson: number.nullable(),
  delta: number,
});
