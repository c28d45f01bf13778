/** docs/fedavg/results: a file for each cell with every curve that was measured, so that tables and pictures can be made again from them. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deviation, mean } from 'd3-array';
import { makeDirectory, writeFileAtomic } from '../../lib/formats/files/atomic-file.js';
import type { Attempt, CurvePoint } from './attempt.js';
import { CELLS, type Cell, settingsHash, type Trial } from './cells.js';

/** Which of two values is the better one: higher accuracies, lower errors. */
const isBetter = ({ metric }: Pick<Cell, 'metric'>, a: number, b: number): boolean =>
  metric === 'accuracy' ? a > b : a < b;

/** The curve made monotone: each point is the best so far. `points` in the order of their rounds. */
export function monotone(
  points: readonly CurvePoint[],
  cell: Pick<Cell, 'metric'> = { metric: 'accuracy' },
): readonly CurvePoint[] {
  let best: number | undefined;
  return points.map(({ round, value }) => {
    best = best === undefined || isBetter(cell, value, best) ? value : best;
    return { round, value: best };
  });
}

/**
 * Where the monotone curve of accuracies crosses `target`, by linear interpolation between the points around; undefined
 * while it has not. A first point above it counts as its own round: what the model was worth before is not known.
 * Counted as McMahan et al. 2017 (arXiv 1602.05629, §3) count them.
 */
export function roundsToTarget(
  points: readonly CurvePoint[],
  target: number | undefined,
): number | undefined {
  if (target === undefined) return undefined;
  const curve = monotone(points);
  const at = curve.findIndex(({ value }) => value >= target);
  const [before, after] = [curve[at - 1], curve[at]];
  if (after === undefined || before === undefined) return after?.round;
  const share = (target - before.value) / (after.value - before.value);
  return before.round + share * (after.round - before.round);
}

/** The first of the best points; undefined without points. */
export function bestPoint(points: readonly CurvePoint[], cell: Pick<Cell, 'metric'>): CurvePoint | undefined {
  return points.reduce<CurvePoint | undefined>(
    (best, point) => (best === undefined || isBetter(cell, point.value, best.value) ? point : best),
    undefined,
  );
}

/** Attempts by the name of their cell. */
export type Results = Readonly<Record<string, readonly Attempt[]>>;

/** An attempt and what it came to. */
export interface Run extends Attempt {
  /** Undefined while the target was not reached. */
  readonly rounds: number | undefined;
  readonly best: CurvePoint;
}

/** What a learning rate came to: a run for each seed. */
export interface Outcome {
  readonly learningRate: number;
  /** At least one. */
  readonly runs: readonly Run[];
}

/** Whether nothing is left to run of an attempt: its target is reached, or all rounds are done. */
export const isDone = (cell: Cell, { curve }: Pick<Attempt, 'curve'>): boolean =>
  roundsToTarget(curve, cell.target) !== undefined || (curve.at(-1)?.round ?? 0) >= cell.rounds;

/** Mean and standard deviation (of a sample; undefined of one value). */
export const spreadOf = (values: readonly number[]) => ({
  mean: mean(values) ?? Number.NaN,
  sd: deviation(values),
});

/** An attempt in the file: its values are those of the rounds 1, 2, …, null where one is not known. */
type Stored = Omit<Attempt, 'curve' | 'seed'> & {
  readonly seed?: number;
  readonly values: readonly (number | null)[];
};

/** A cell's file: what its attempts are of, and they. */
interface CellFile {
  readonly settings: string;
  readonly attempts: readonly Stored[];
}

const fileOf = (folder: string, name: string): string => join(folder, `${name}.json`);

/** Reads the results of all cells; those of other settings than a cell has now are none. */
export async function readResults(folder: string): Promise<Results> {
  const files = await readdir(folder).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const found: Record<string, readonly Attempt[]> = {};
  for (const [name, cell] of Object.entries(CELLS)) {
    if (!files.includes(`${name}.json`)) continue;
    const file = JSON.parse(await readFile(fileOf(folder, name), 'utf8')) as CellFile;
    if (file.settings === settingsHash(cell)) found[name] = file.attempts.map(restored);
  }
  return found;
}

/** Writes a cell's results, a line for each attempt. */
export async function writeResults(
  folder: string,
  name: string,
  attempts: readonly Attempt[],
): Promise<void> {
  const lines = attempts.map((attempt) => `    ${JSON.stringify(stored(attempt))}`);
  const settings = JSON.stringify(settingsHash(CELLS[name] as Cell));
  await makeDirectory(folder);
  await writeFileAtomic(
    fileOf(folder, name),
    `{\n  "settings": ${settings},\n  "attempts": [\n${lines.join(',\n')}\n  ]\n}\n`,
  );
}

function stored({ curve, ...attempt }: Attempt): Stored {
  const values: (number | null)[] = Array(curve.at(-1)?.round ?? 0).fill(null);
  for (const { round, value } of curve) values[round - 1] = value;
  return { ...attempt, values };
}

function restored({ values, seed = 0, ...attempt }: Stored): Attempt {
  const points = values.map((value, index) => ({ round: index + 1, value }));
  return { ...attempt, seed, curve: points.filter((point): point is CurvePoint => point.value !== null) };
}

/** The attempt of a trial, if it has begun. */
export const attemptOf = (
  attempts: readonly Attempt[] | undefined,
  { learningRate, seed }: Trial,
): Attempt | undefined => attempts?.find((each) => each.learningRate === learningRate && each.seed === seed);

/** With an attempt in the place of the one of the same trial, unless that one is further on. */
export function withAttempt(results: Results, name: string, attempt: Attempt): Results {
  const attempts = results[name] ?? [];
  const earlier = attemptOf(attempts, attempt);
  if (earlier !== undefined && earlier.curve.length > attempt.curve.length) return results;
  const others = attempts.filter((each) => each !== earlier);
  const sorted = [...others, attempt].sort((a, b) => a.learningRate - b.learningRate || a.seed - b.seed);
  return { ...results, [name]: sorted };
}

/** What a cell's learning rates came to, those with a round behind them, in the order of the rates. */
export function outcomesOf(cell: Cell, attempts: readonly Attempt[] = []): readonly Outcome[] {
  const runs = attempts.flatMap((attempt): readonly Run[] => {
    const best = bestPoint(attempt.curve, cell);
    return best === undefined
      ? []
      : [{ ...attempt, best, rounds: roundsToTarget(attempt.curve, cell.target) }];
  });
  const rates = [...new Set(runs.map(({ learningRate }) => learningRate))];
  return rates.map((learningRate) => ({
    learningRate,
    runs: runs.filter((run) => run.learningRate === learningRate),
  }));
}

/** The outcome with the fewest rounds to the target, on average; without one that always got there, the best. */
export function bestOutcome(cell: Cell, outcomes: readonly Outcome[]): Outcome | undefined {
  const roundsOf = ({ runs }: Outcome) =>
    spreadOf(runs.map(({ rounds }) => rounds ?? Number.POSITIVE_INFINITY)).mean;
  const bestOf = ({ runs }: Outcome) => spreadOf(runs.map(({ best }) => best.value)).mean;
  return outcomes.toSorted((a, b) => {
    const [first, second] = [roundsOf(a), roundsOf(b)];
    if (first !== second) return first - second;
    return isBetter(cell, bestOf(a), bestOf(b)) ? -1 : 1;
  })[0];
}

/** The mean of the runs' curves, in the rounds that all of them have. */
export function meanCurve({ runs }: Outcome): readonly CurvePoint[] {
  const [first, ...others] = runs;
  return (first?.curve ?? []).flatMap(({ round, value }) => {
    const rest = others.map(({ curve }) => curve.find((point) => point.round === round)?.value);
    if (rest.includes(undefined)) return [];
    return [{ round, value: spreadOf([value, ...(rest as readonly number[])]).mean }];
  });
}
