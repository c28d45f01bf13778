/**
 * The configurations of a sweep in the order of their results, trials that differ in their seed alone in one row; and
 * when a trial is hopeless: the median stopping rule of Google Vizier (Golovin et al. 2017), by the value at the same
 * round as in Optuna's MedianPruner.
 */
import { deviation, group, mean, median, sum } from 'd3-array';
import { scoreOfFigure } from '../lib/federation/metrics.js';
import { formatColumns, formatDuration, roundTo, type TableColumn } from '../lib/observability/format.js';
import { rowKey } from './axes.js';
import type { RankingRow, SweepRecord, TrialRecord } from './sweep-record.js';

/** Rows of the table at most. */
const TABLE_ROWS = 30;

/** A row is as far as the one of its trials that is least far. */
const STATES: readonly TrialRecord['state'][] = ['finished', 'stopped', 'failed', 'open'];

/** The best first; then what is not finished, which no mean of other seeds can be compared with. */
export function ranked({ trials }: Pick<SweepRecord, 'trials'>): readonly RankingRow[] {
  return [...group(trials, rowKey).values()]
    .map(rowOf)
    .sort(
      (a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state) || compare(scoreOfRow(b), scoreOfRow(a)),
    );
}

/** How good the mean of a row is: the higher the better. */
export const scoreOfRow = ({ metric = 'loss', mean: value = Number.NaN }: RankingRow): number =>
  scoreOfFigure({ metric, value });

/** The metric of trials or rows; of those that have none yet, a word for it. */
export const rankedMetric = (results: readonly { readonly metric?: string | undefined }[]): string =>
  results.find(({ metric }) => metric !== undefined)?.metric ?? 'result';

/** Infinities are equal to themselves. */
const compare = (a: number, b: number) => (a === b ? 0 : a - b);

function rowOf(trials: readonly TrialRecord[]): RankingRow {
  const state = STATES[Math.max(...trials.map((trial) => STATES.indexOf(trial.state)))] ?? 'open';
  // A course that ended in no number has no mean.
  const results = trials.flatMap(({ course }) => (course.length === 0 ? [] : [course.at(-1) ?? Number.NaN]));
  const isWhole = results.every((value) => Number.isFinite(value));
  const [middle, spread] = isWhole ? [mean(results), deviation(results)] : [];
  const metric = trials.find((trial) => trial.metric !== undefined)?.metric;
  return {
    values: trials[0]?.values ?? {},
    trials: trials.map(({ number }) => number),
    state,
    ...(metric === undefined ? {} : { metric }),
    ...(middle === undefined ? {} : { mean: middle }),
    // Of trials that have come differently far there is none.
    ...(spread === undefined || state !== 'finished' ? {} : { sd: spread }),
    rounds: mean(trials, ({ course }) => course.length) ?? 0,
    seconds: roundTo(
      sum(trials, ({ seconds }) => seconds),
      3,
    ),
  };
}

/** `0.9731 ± 0.0012`; the mean alone of one seed. */
export function meanText({ mean: value, sd }: RankingRow): string {
  if (value === undefined) return '';
  return `${value.toFixed(4)}${sd === undefined ? '' : ` ± ${sd.toFixed(4)}`}`;
}

/** The ranking as a table of at most `width` columns; axes are letters where their names have no room. */
export function formatRanking(
  rows: readonly RankingRow[],
  { axes, width }: { readonly axes: SweepRecord['axes']; readonly width: number },
): string {
  const shown = rows.slice(0, TABLE_ROWS);
  const hidden = rows.length - shown.length;
  const more = hidden > 0 ? [`and ${hidden} more in sweep.json`] : [];
  const named = formatColumns(shown, { columns: columnsOf(shown, axes), width });
  if (named.indexOf('\n') <= width) return [named, ...more].join('\n');
  const lettered = axes.map((axis, at) => ({ ...axis, name: String.fromCharCode(97 + at) }));
  const legend = axes.map(({ name }, at) => `${lettered[at]?.name}  ${name}`);
  return [...legend, '', formatColumns(shown, { columns: columnsOf(shown, lettered), width }), ...more].join(
    '\n',
  );
}

function columnsOf(
  rows: readonly RankingRow[],
  axes: SweepRecord['axes'],
): readonly TableColumn<RankingRow>[] {
  const isWhole = rows.every(({ state }) => state === 'finished');
  const varied = axes.filter(({ place }) => rows.some(({ values }) => values[place] !== undefined));
  return [
    ['rank', 0, ({ state }, at) => (state === 'finished' ? `${at + 1}` : '')],
    ...varied.map(({ place, name }) => [name, 0, ({ values }: RankingRow) => `${values[place]}`] as const),
    [rankedMetric(rows), 0, meanText],
    ...(rows.some(({ trials }) => trials.length > 1)
      ? [['seeds', 2, ({ trials }: RankingRow) => `${trials.length}`] as const]
      : []),
    ['rounds', 1, ({ rounds }) => `${roundTo(rounds, 1)}`],
    ['time', 3, ({ seconds }) => formatDuration(seconds)],
    ...(isWhole ? [] : [['state', 0, ({ state }: RankingRow) => state] as const]),
  ];
}

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
