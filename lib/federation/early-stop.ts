/** When the rounds are over: all done, the target accuracy reached, or patience at its end. */

/** How long a run goes on. */
export interface StopRules {
  /** Rounds at most. */
  readonly rounds: number;
  /** Accuracy, 0 to 1, that is enough. */
  readonly targetAccuracy?: number | undefined;
  /** Rounds in a row without a better accuracy after which no better one is expected. */
  readonly patience?: number | undefined;
}

/** Why a run ended. */
export type StopReason = 'rounds' | 'target' | 'patience';

/** Why no further round follows those whose accuracies are given, in order; undefined while one does. */
export function reasonToStop(accuracies: readonly number[], rules: StopRules): StopReason | undefined {
  const { rounds, targetAccuracy, patience } = rules;
  if (targetAccuracy !== undefined && roundsToTarget(accuracies, targetAccuracy) !== undefined)
    return 'target';
  if (accuracies.length >= rounds) return 'rounds';
  if (patience !== undefined && accuracies.length - bestRound(accuracies) >= patience) return 'patience';
  return undefined;
}

/** The first round, from 1, with the highest accuracy; 0 where there is none. */
export function bestRound(accuracies: readonly number[]): number {
  let best = 0;
  accuracies.forEach((accuracy, index) => {
    if (best === 0 || accuracy > (accuracies[best - 1] ?? 0)) best = index + 1;
  });
  return best;
}

/** The first round, from 1, whose accuracy is at least `target`; undefined where there is none. */
export function roundsToTarget(accuracies: readonly number[], target: number): number | undefined {
  const index = accuracies.findIndex((accuracy) => accuracy >= target);
  return index < 0 ? undefined : index + 1;
}
