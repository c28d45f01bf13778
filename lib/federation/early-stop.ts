/** When the rounds are over: all done, the target reached, or patience at its end. */
import { metricIn, parseThreshold, reaches, scoreOf, type TestFigures, type Threshold } from './metrics.js';

/** How long a run goes on. */
export interface StopRules {
  /** Rounds at most. */
  readonly rounds: number;
  /** Accuracy, 0 to 1, that is enough. */
  readonly targetAccuracy?: number | undefined;
  /** A metric and its value that is enough, e.g. `rmse=3.2`. */
  readonly targetMetric?: string | undefined;
  /** Rounds in a row without a better model after which no better one is expected. */
  readonly patience?: number | undefined;
}

/** Why a run ended. */
export type StopReason = 'rounds' | 'target' | 'patience';

/** What is enough, where the rules say so. */
export function targetOf({ targetAccuracy, targetMetric }: StopRules): Threshold | undefined {
  if (targetAccuracy !== undefined) return { metric: 'accuracy', value: targetAccuracy };
  return targetMetric === undefined ? undefined : parseThreshold(targetMetric);
}

/** Why no further round follows those whose tests are given, in order; undefined while one does. */
export function reasonToStop(tests: readonly TestFigures[], rules: StopRules): StopReason | undefined {
  const { rounds, patience } = rules;
  if (roundsToTarget(tests, rules) !== undefined) return 'target';
  if (tests.length >= rounds) return 'rounds';
  if (patience !== undefined && tests.length - bestRound(tests, rules) >= patience) return 'patience';
  return undefined;
}

/** The first round, from 1, with the best model by the leading metric; 0 where there is none. */
export function bestRound(tests: readonly TestFigures[], rules: StopRules): number {
  const scores = tests.map((test) => scoreOf(test, targetOf(rules)));
  let best = 0;
  scores.forEach((score, index) => {
    if (best === 0 || score > (scores[best - 1] as number)) best = index + 1;
  });
  return best;
}

/** The first round, from 1, that reaches the target; undefined where there is none, or no target. */
export function roundsToTarget(tests: readonly TestFigures[], rules: StopRules): number | undefined {
  const target = targetOf(rules);
  if (target === undefined) return undefined;
  const index = tests.findIndex((test) => reaches(metricIn(test, target.metric), target));
  return index < 0 ? undefined : index + 1;
}
