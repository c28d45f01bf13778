/** How a strategy's settings and the privacy spent are written in a run's records. */
import { z } from 'zod';
import { type PrivacyOptions, type PrivacySpent, privacySpent } from '../federation/privacy/accountant.js';
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
export const privacySpentSchema = z.object({
  /** Infinite without noise; JSON has no word for it but null. */
  epsilon: number.nullable(),
  epsilonPoisson: number.nullable(),
  delta: number,
});

/** The privacy spent as JSON can hold it. */
export type PrivacyRecord = z.infer<typeof privacySpentSchema>;

/** The privacy spent, for a record. */
export function privacyRecord({ epsilon, epsilonPoisson, delta }: PrivacySpent): PrivacyRecord {
  const finite = (value: number) => (Number.isFinite(value) ? value : null);
  return { epsilon: finite(epsilon), epsilonPoisson: finite(epsilonPoisson), delta };
}

/** The privacy spent by `rounds` rounds, each with these clients; nothing where the strategy is not private. */
export function privacyAfter(
  { privacy }: StrategySettings,
  facts: Omit<PrivacyOptions, 'noise' | 'delta'>,
): { readonly privacy?: PrivacyRecord } {
  if (privacy === undefined) return {};
  const { noise, delta } = privacy;
  return { privacy: privacyRecord(privacySpent({ noise, delta, ...facts })) };
}

/** The privacy spent as people read it, e.g. `ε 4.21 at δ 1e-5`. */
export function formatPrivacy({ epsilon, epsilonPoisson, delta }: PrivacyRecord): string {
  const show = (value: number | null) => (value === null ? '∞' : value.toPrecision(3));
  return `ε ${show(epsilon)} at δ ${delta} (${show(epsilonPoisson)} by Poisson sampling)`;
}
