/** The tables of docs/FEDAVG.md, made from the results. */
import type { Table } from '../report.js';
import { CELLS, type Cell, type TableName } from './cells.js';
import { bestOutcome, type Outcome, outcomesOf, type Results, spreadOf } from './results.js';

/** A cell of the table with its outcomes. */
interface Row {
  readonly cell: Cell;
  readonly outcomes: readonly Outcome[];
  readonly best: Outcome | undefined;
}

/** One table; cells that have no result yet stand in it and say so. */
export function tableOf(table: TableName, results: Results): Table {
  const rows = Object.entries(CELLS)
    .filter(([, cell]) => cell.table === table)
    .map(([name, cell]): Row => {
      const outcomes = outcomesOf(cell, results[name]);
      return { cell, outcomes, best: bestOutcome(cell, outcomes) };
    });
  return table === 'paper' || table === 'beats' ? roundsTable(rows) : bestTable(rows);
}

function roundsTable(rows: readonly Row[]): Table {
  return {
    header: ['model', 'cell', 'target', 'paper', 'fedbatch', 'best accuracy', 'learning rates tried', 'time'],
    rows: rows.map(({ cell, outcomes, best }) => [
      cell.model,
      cell.title,
      percent(cell.target ?? 1, 0),
      published(cell),
      best === undefined ? 'not run yet' : `**${rounds(cell, best)}**`,
      best === undefined ? '' : bestValue(cell, best),
      tried(cell, outcomes, (outcome) => rounds(cell, outcome)),
      time(outcomes),
    ]),
  };
}

function bestTable(rows: readonly Row[]): Table {
  return {
    header: [
      ...['cell', 'published', 'fedbatch, best', 'fedbatch, last round', 'seeds', 'rounds'],
      ...['learning rates tried', 'time'],
    ],
    rows: rows.map(({ cell, outcomes, best }) => {
      const value = (of: readonly number[]) => spread(of, (each) => valueText(cell, each));
      return [
        cell.title,
        published(cell),
        best === undefined ? 'not run yet' : `**${bestValue(cell, best)}**`,
        best === undefined ? '' : value(best.runs.map(({ curve }) => curve.at(-1)?.value ?? Number.NaN)),
        best === undefined ? '' : `${best.runs.length}`,
        best === undefined ? `of ${cell.rounds}` : `${roundsRun(best)} of ${cell.rounds}`,
        tried(cell, outcomes, ({ runs }) => value(runs.map((run) => run.best.value))),
        time(outcomes),
      ];
    }),
  };
}

const published = ({ published: theirs }: Cell): string =>
  theirs === undefined ? '' : 'rounds' in theirs ? `${theirs.rounds}` : theirs.words;

/** Rounds that the runs have, `6` or `6 to 50`. */
function roundsRun({ runs }: Outcome): string {
  const counts = runs.map(({ curve }) => curve.at(-1)?.round ?? 0);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return least === most ? `${most}` : `${least} to ${most}`;
}

/** `19.4`, `19.4 ± 2.1 (3 seeds)`, or how far the runs got. */
function rounds(cell: Cell, outcome: Outcome): string {
  const { runs } = outcome;
  const reached = runs.flatMap((run) => (run.rounds === undefined ? [] : [run.rounds]));
  const seeds = runs.length === 1 ? '' : ` (${runs.length} seeds)`;
  if (reached.length === runs.length) return `${spread(reached, (each) => each.toFixed(1))}${seeds}`;
  const far = bestValue(cell, outcome, '');
  if (runs.length === 1) return `not in ${roundsRun(outcome)} rounds (${far} so far)`;
  return `${reached.length} of ${runs.length} seeds in ${roundsRun(outcome)} rounds (${far} so far)`;
}

/** `97.02 % (round 43)`; of several runs, mean and standard deviation. */
function bestValue(cell: Cell, { runs }: Outcome, round = ` (round ${runs[0]?.best.round})`): string {
  const text = spread(
    runs.map(({ best }) => best.value),
    (each) => valueText(cell, each),
  );
  return `${text}${runs.length === 1 ? round : ''}`;
}

/** The value, or mean ± standard deviation of several. */
function spread(values: readonly number[], text: (value: number) => string): string {
  const { mean, sd } = spreadOf(values);
  if (sd === undefined) return text(mean);
  // The unit stands once: `96.86 ± 0.30 %`.
  const [number = '', ...unit] = text(mean).split(' ');
  return [number, '±', text(sd).split(' ')[0], ...unit].join(' ');
}

/** Every rate with its outcome, and those that are still to be tried. */
function tried(cell: Cell, outcomes: readonly Outcome[], text: (outcome: Outcome) => string): string {
  const done = outcomes.map((outcome) => `${outcome.learningRate}: ${text(outcome)}`);
  const open = cell.learningRates
    .filter((rate) => !outcomes.some(({ learningRate }) => learningRate === rate))
    .map((rate) => `${rate}: not run yet`);
  return [...done, ...open].join('; ');
}

/** Of all attempts, in whole minutes, at least one: nothing finer is worth reading from a shared machine. */
function time(outcomes: readonly Outcome[]): string {
  const runs = outcomes.flatMap((outcome) => outcome.runs);
  const minutes = runs.reduce((sum, { seconds }) => sum + seconds, 0) / 60;
  return runs.length === 0 ? '' : `${Math.max(1, Math.round(minutes))} min`;
}

const valueText = ({ metric }: Cell, value: number): string =>
  metric === 'accuracy' ? percent(value) : value.toFixed(4);

const percent = (share: number, digits = 2): string => `${(share * 100).toFixed(digits)} %`;
