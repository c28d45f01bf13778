/** Rounds to a target accuracy, counted as McMahan et al. 2017 (arXiv 1602.05629, §3) count them. */

/** Test accuracy (0 to 1) of the global model that a round ended with; rounds are numbered from 1. */
export interface CurvePoint {
  readonly round: number;
  readonly accuracy: number;
}

/** The curve made monotone: each point is the best so far. `points` in the order of their rounds. */
export function monotone(points: readonly CurvePoint[]): readonly CurvePoint[] {
  let best = 0;
  return points.map(({ round, accuracy }) => {
    best = Math.max(best, accuracy);
    return { round, accuracy: best };
  });
}

/**
 * Where the monotone curve crosses `target`, by linear interpolation between the points around; undefined while it has
 * not. A first point above it counts as its own round: what the model was worth before is not known.
 */
export function roundsToTarget(points: readonly CurvePoint[], target: number): number | undefined {
  const curve = monotone(points);
  const at = curve.findIndex(({ accuracy }) => accuracy >= target);
  const [before, after] = [curve[at - 1], curve[at]];
  if (after === undefined || before === undefined) return after?.round;
  const share = (target - before.accuracy) / (after.accuracy - before.accuracy);
  return before.round + share * (after.round - before.round);
}

/** The first of the best points; undefined without points. */
export function bestPoint(points: readonly CurvePoint[]): CurvePoint | undefined {
  return points.reduce<CurvePoint | undefined>(
    (best, point) => (best === undefined || point.accuracy > best.accuracy ? point : best),
    undefined,
  );
}
