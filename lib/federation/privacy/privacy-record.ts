/** The privacy spent as records and people read it. */
import type { StrategySettings } from '../strategies/strategy-settings.js';
import { type PrivacyOptions, type PrivacySpent, privacySpent } from './accountant.js';

/** The privacy spent as JSON can hold it: without noise ε is infinite, for which JSON has no word but null. */
export interface PrivacyRecord {
  readonly epsilon: number | null;
  readonly epsilonPoisson: number | null;
  readonly delta: number;
  /** How often noise was drawn again for a round whose updates had changed; it is in both numbers. */
  readonly redraws?: number | undefined;
  /** The norm that the round's updates were clipped to, where it follows them. */
  readonly clip?: number | undefined;
}

/** The privacy spent, for a record. */
function privacyRecord({ epsilon, epsilonPoisson, delta }: PrivacySpent): PrivacyRecord {
  const finite = (value: number) => (Number.isFinite(value) ? value : null);
  return { epsilon: finite(epsilon), epsilonPoisson: finite(epsilonPoisson), delta };
}

/**
 * The privacy spent by `rounds` rounds, each with these clients; nothing where the strategy is not private.
 *
 * @param facts with `clip` where the norm of the last of them is told
 */
export function privacyAfter(
  { privacy }: StrategySettings,
  { clip, ...facts }: Omit<PrivacyOptions, 'noise' | 'delta'> & { readonly clip?: number | undefined },
): { readonly privacy?: PrivacyRecord } {
  if (privacy === undefined) return {};
  const { noise, delta } = privacy;
  const redraws = (facts.redrawn ?? []).reduce((sum, drawn) => sum + drawn - 1, 0);
  const spent = privacyRecord(privacySpent({ noise, delta, ...facts }));
  return {
    privacy: { ...spent, ...(redraws === 0 ? {} : { redraws }), ...(clip === undefined ? {} : { clip }) },
  };
}

/** In a line, e.g. `ε 4.21 at δ 0.00001 (0.93 by Poisson sampling)`. */
export function formatPrivacy({ epsilon, epsilonPoisson, delta, redraws, clip }: PrivacyRecord): string {
  const show = (value: number | null) => (value === null ? '∞' : value.toPrecision(3));
  const again =
    redraws === undefined ? '' : `, noise drawn again ${redraws === 1 ? 'once' : `${redraws} times`}`;
  return `ε ${show(epsilon)} at δ ${delta} (${show(epsilonPoisson)} by Poisson sampling)${again}${clip === undefined ? '' : `, clipped to ${clip.toPrecision(3)}`}`;
}
