/** docs/fedavg/results.json: every curve that was measured, so that tables and pictures can be made again from it. */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeDirectory, writeFileAtomic } from '../../lib/formats/atomic-file.js';
import type { Attempt } from './attempt.js';
import type { Cell } from './cells.js';
import { bestPoint, type CurvePoint, roundsToTarget } from './curve.js';

/** Attempts by the name of their cell. */
export type Results = Readonly<Record<string, readonly Attempt[]>>;

/** An attempt and what it came to. */
export interface Outcome extends Attempt {
  /** Undefined while the target was not reached. */
  readonly rounds: number | undefined;
  readonly best: CurvePoint;
}

/** Reads the results; none where the file is missing. */
export async function readResults(path: string): Promise<Results> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Results;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}

/** Writes the results, a line for each round's accuracy being too much: one line for each attempt. */
export async function writeResults(path: string, results: Results): Promise<void> {
  const cells = Object.entries(results).map(([name, attempts]) => {
    const lines = attempts.map((attempt) => `    ${JSON.stringify(attempt)}`);
    return `  ${JSON.stringify(name)}: [\n${lines.join(',\n')}\n  ]`;
  });
  await makeDirectory(dirname(path));
  await writeFileAtomic(path, `{\n${cells.join(',\n')}\n}\n`);
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
