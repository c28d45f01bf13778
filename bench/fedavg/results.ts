/** docs/fedavg/results.json: every curve that was measured, so that tables and pictures can be made again from it. */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeDirectory, writeFileAtomic } from '../../lib/formats/files/atomic-file.js';
import type { Attempt } from './attempt.js';
import type { Cell } from './cells.js';

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
 * Counted as McMahan et al. 2017 (arXiv 1602.05629, §3) count them.
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

/** Attempts by the name of their cell. */
export type Results = Readonly<Record<string, readonly Attempt[]>>;

/** An attempt and what it came to. */
export interface Outcome extends Attempt {
  /** Undefined while the target was not reached. */
  readonly rounds: number | undefined;
  readonly best: CurvePoint;
}

/** An attempt in the file: its accuracies are those of the rounds 1, 2, …, null where one is not known. */
type Stored = Omit<Attempt, 'accuracies'> & { readonly accuracies: readonly (number | null)[] };

/** Reads the results; none where the file is missing. */
export async function readResults(path: string): Promise<Results> {
  try {
    const stored = JSON.parse(await readFile(path, 'utf8')) as Readonly<Record<string, readonly Stored[]>>;
    return Object.fromEntries(
      Object.entries(stored).map(([name, attempts]) => [name, attempts.map(restored)]),
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}

/** Writes the results, a line for each attempt. */
export async function writeResults(path: string, results: Results): Promise<void> {
  const cells = Object.entries(results).map(([name, attempts]) => {
    const lines = attempts.map((attempt) => `    ${JSON.stringify(stored(attempt))}`);
    return `  ${JSON.stringify(name)}: [\n${lines.join(',\n')}\n  ]`;
  });
  await makeDirectory(dirname(path));
  await writeFileAtomic(path, `{\n${cells.join(',\n')}\n}\n`);
}

function stored(attempt: Attempt): Stored {
  const accuracies: (number | null)[] = Array(attempt.accuracies.at(-1)?.round ?? 0).fill(null);
  for (const { round, accuracy } of attempt.accuracies) accuracies[round - 1] = accuracy;
  return { ...attempt, accuracies };
}

function restored({ accuracies, ...attempt }: Stored): Attempt {
  const points = accuracies.map((accuracy, index) => ({ round: index + 1, accuracy }));
  return { ...attempt, accuracies: points.filter((point): point is CurvePoint => point.accuracy !== null) };
}

/** With an attempt in the place of the one at the same learning rate, unless that one is further on. */
export function withAttempt(results: Results, name: string, attempt: Attempt): Results {
  const attempts = results[name] ?? [];
  const earlier = attempts.find(({ learningRate }) => learningRate === attempt.learningRate);
  if (earlier !== undefined && earlier.accuracies.length > attempt.accuracies.length) return results;
  const others = attempts.filter((each) => each !== earlier);
  return { ...results, [name]: [...others, attempt].sort((a, b) => a.learningRate - b.learningRate) };
}

/** What a cell's attempts came to, those with a round behind them. */
export function outcomesOf({ target }: Cell, attempts: readonly Attempt[]): readonly Outcome[] {
  return attempts.flatMap((attempt) => {
    const best = bestPoint(attempt.accuracies);
    return best === undefined
      ? []
      : [{ ...attempt, best, rounds: roundsToTarget(attempt.accuracies, target) }];
  });
}

/** The outcome with the fewest rounds to the target; without one that got there, the most accurate. */
export function bestOutcome(outcomes: readonly Outcome[]): Outcome | undefined {
  const [first] = [...outcomes].sort(
    (a, b) =>
      (a.rounds ?? Number.POSITIVE_INFINITY) - (b.rounds ?? Number.POSITIVE_INFINITY) ||
      b.best.accuracy - a.best.accuracy,
  );
  return first;
}
