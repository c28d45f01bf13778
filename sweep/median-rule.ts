/**
 * When a trial is hopeless: the median stopping rule of Google Vizier (Golovin et al. 2017), by the value at the same round
 * as in Optuna's MedianPruner.
 */
import { median } from 'd3-array';

/** How a trial has done so far. */
export interface Course {
  /** The same of trials that differ in their seed alone: they are no rivals. */
  readonly row: string;
  /** After each round, the higher the better; round 1 first. */
  readonly scores: readonly number[];
}

/** Rivals that a trial is compared with at least: the median of fewer says little. */
const FEWEST_RIVALS = 3;

/** What a trial is compared with. */
export interface Verdict {
  /** Score that it is below. */
  readonly median: number;
  readonly rivals: number;
}

/** The verdict on a trial that is worse than the median of its rivals at the round that it has just done; else undefined. */
export function hopelessAfter(
  trial: Course,
  others: readonly Course[],
  { warmUp }: { readonly warmUp: number },
): Verdict | undefined {
  const round = trial.scores.length;
  const score = trial.scores.at(-1);
  if (score === undefined || round < warmUp) return undefined;
  const rivals = others.flatMap(({ row, scores }) =>
    row === trial.row || scores[round - 1] === undefined ? [] : [scores[round - 1] as number],
  );
  const middle = rivals.length < FEWEST_RIVALS ? undefined : median(rivals);
  return middle !== undefined && score < middle ? { median: middle, rivals: rivals.length } : undefined;
}
