/** The privacy spent as records and people read it. */
import type { PrivacySpent } from './accountant.js';

/** The privacy spent as JSON can hold it: without noise ε is infinite, for which JSON has no word but null. */
export interface PrivacyRecord {
  readonly epsilon: number | null;
  readonly epsilonPoisson: number | null;
  readonly delta: number;
}

/** The privacy spent, for a record. */
export function privacyRecord({ epsilon, epsilonPoisson, delta }: PrivacySpent): PrivacyRecord {
  const finite = (value: number) => (Number.isFinite(value) ? value : null);
  return { epsilon: finite(epsilon), epsilonPoisson: finite(epsilonPoisson), delta };
}

/** In a line, e.g. `ε 4.21 at δ 0.00001 (0.93 by Poisson sampling)`. */
export function formatPrivacy({ epsilon, epsilonPoisson, delta }: PrivacyRecord): string {
  const show = (value: number | null) => (value === null ? '∞' : value.toPrecision(3));
  return `ε ${show(epsilon)} at δ ${delta} (${show(epsilonPoisson)} by Poisson sampling)`;
}
