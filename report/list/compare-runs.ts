/** Runs side by side: the settings in which they differ, and what their last tests found. */
import { isMetric, leadingFigure, type TestFigures } from '../../lib/federation/metrics.js';
import type { RunComparison, RunRow } from '../../lib/formats/runs/run-rows.js';
import { volumePaths } from '../../lib/formats/volume.js';
import { formatTable } from '../../lib/observability/format.js';
import { differingSettings } from '../../lib/settings/differences.js';
import type { SettingValue } from '../../lib/settings/value-type.js';
import { type RunRecords, readRunRecords } from '../records.js';
import { readRow } from './run-list.js';

/** Letters of a column's title at most: runs of longer names are called A, B and so on. */
const MOST_LETTERS = 20;

/** A run with all that its volume tells. */
export interface ComparedRun {
  readonly row: RunRow;
  readonly records: RunRecords;
}

/** Reads a run that is to be compared. @throws {DataError} where there is none, or its records are damaged */
export async function readComparedRun(volume: string): Promise<ComparedRun> {
  const records = await readRunRecords(volumePaths(volume));
  return { row: await readRow({ volume, run: records.run }), records };
}

/** What sets the runs apart. */
export function compareRuns(runs: readonly ComparedRun[]): RunComparison {
  const differing = differingSettings(runs.map(({ records }) => records.run.settings));
  const figures = runs.map(figuresOf);
  const names = [...new Set(figures.flatMap((each) => [...each.keys()]))];
  return {
    runs: runs.map(({ row }) => row),
    settings: differing.map(({ place, values }) => ({
      place,
      values: values.map((value) => (value as SettingValue | undefined) ?? null),
    })),
    figures: names.map((name) => ({ name, values: figures.map((each) => each.get(name) ?? null) })),
  };
}

/** The metrics of the last test, the leading one first, then its loss, rounds and seconds. */
function figuresOf({ row, records }: ComparedRun): ReadonlyMap<string, number | null> {
  const test: TestFigures | undefined = records.rounds.findLast(({ evaluation }) => evaluation)?.evaluation;
  const seconds = records.rounds.reduce(
    (sum, round) =>
      sum + (round.seconds ? round.seconds.train + round.seconds.aggregate + round.seconds.evaluate : 0),
    0,
  );
  const leading = test && leadingFigure(test);
  const figures: readonly (readonly [string, number | null | undefined])[] = [
    ...(leading ? [[leading.metric, leading.value] as const] : []),
    ['accuracy', test?.accuracy],
    ...Object.entries(test?.metrics ?? {}),
    ['loss', test?.loss],
    ['rounds', row.rounds],
    ['seconds', Math.round(seconds * 10) / 10],
  ];
  return new Map(
    figures.flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value === null || Number.isNaN(value) ? null : value] as const],
    ),
  );
}

/** Columns of a table at most; more runs than fit go on in a table below. */
const WIDTH = 80;

/** Two tables, for people: what differs, and what came of it. */
export function formatComparison({ runs, settings, figures }: RunComparison): string {
  const names = runs.map(({ name, id }) => name ?? id);
  const isLong = names.some(({ length }) => length > MOST_LETTERS);
  const titles = isLong ? names.map((_, at) => letterOf(at)) : names;
  const legend = isLong ? `${names.map((name, at) => `${titles[at]}  ${name}`).join('\n')}\n\n` : '';
  const hasDifference = runs.length === 2;
  const rows = figures.map(({ name, values }) => [
    name,
    ...values.map((value) => (value === null ? '' : figureText(name, value))),
    ...(hasDifference ? [differenceText(name, values)] : []),
  ]);
  const differing =
    settings.length === 0
      ? 'Their settings are the same.'
      : fittingTables(
          ['setting', ...titles],
          settings.map(({ place, values }) => [place, ...values.map((value) => `${value ?? ''}`)]),
        );
  return `${legend}${differing}\n\n${fittingTables(['result', ...titles, ...(hasDifference ? ['difference'] : [])], rows)}`;
}

/** A, B, …, Z, AA, AB, … */
function letterOf(at: number): string {
  const last = String.fromCharCode(65 + (at % 26));
  return at < 26 ? last : `${letterOf(Math.floor(at / 26) - 1)}${last}`;
}

/** Tables that fit, one below the other, each with the first column: half of the others, where they are too many. */
function fittingTables(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = formatTable(header, rows);
  const others = header.length - 1;
  if (table.indexOf('\n') <= WIDTH || others < 2) return table;
  const half = 1 + Math.ceil(others / 2);
  const part = (from: number, to: number) => (cells: readonly string[]) => [
    cells[0] ?? '',
    ...cells.slice(from, to),
  ];
  return [part(1, half), part(half, header.length)]
    .map((cells) => fittingTables(cells(header), rows.map(cells)))
    .join('\n\n');
}

const figureText = (name: string, value: number) => (isMetric(name) ? value.toFixed(4) : `${value}`);

function differenceText(name: string, [a, b]: readonly (number | null)[]): string {
  if (typeof a !== 'number' || typeof b !== 'number') return '';
  const change = b - a;
  return `${change < 0 ? '' : '+'}${isMetric(name) ? change.toFixed(4) : Math.round(change * 10) / 10}`;
}
