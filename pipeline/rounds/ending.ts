/** What the rounds of a run came to, in sum. */
import {
  bestRound,
  reasonToStop,
  roundsToTarget,
  type StopReason,
  type StopRules,
  targetOf,
} from '../../lib/federation/early-stop.js';
import type { Threshold } from '../../lib/federation/metrics.js';
import type { RoundOutcome } from './runner.js';

/** Turns of clients, over all rounds. */
interface ParticipationTotals {
  readonly selected: number;
  readonly missing: number;
  readonly rejected: number;
}

/** How the rounds ended. */
export interface Ending {
  readonly rounds: number;
  readonly stopped: StopReason;
  readonly last: RoundOutcome;
  /** The round with the best model, the first of equals. */
  readonly best: RoundOutcome;
  /** Where there was a target: whether it was reached, and after how many rounds. */
  readonly target?: Threshold & { readonly rounds?: number };
  readonly participation: ParticipationTotals;
}

/** Sums up the rounds of a run, of which there is at least one. */
export function endingOf(outcomes: readonly RoundOutcome[], rules: StopRules): Ending {
  const tests = outcomes.map(({ evaluation }) => evaluation);
  const best = outcomes[bestRound(tests, rules) - 1];
  const last = outcomes.at(-1);
  if (best === undefined || last === undefined) throw new Error('a run has at least one round');
  const target = targetOf(rules);
  const reached = roundsToTarget(tests, rules);
  const total = (which: keyof ParticipationTotals) =>
    outcomes.reduce((sum, { participation }) => sum + participation[which], 0);
  return {
    rounds: outcomes.length,
    stopped: reasonToStop(tests, rules) ?? 'rounds',
    last,
    best,
    ...(target === undefined
      ? {}
      : { target: { ...target, ...(reached === undefined ? {} : { rounds: reached }) } }),
    participation: {
      selected: total('selected'),
      missing: total('missing'),
      rejected: total('rejected'),
    },
  };
}
