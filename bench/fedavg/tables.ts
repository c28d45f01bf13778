/** The tables of docs/FEDAVG.md, made from the results. */
import type { Table } from '../report.js';
import { CELLS, type Cell, type TableName } from './cells.js';
import { bestOutcome, type Outcome, outcomesOf, type Results } from './results.js';

/** A cell of the table with its outcomes. */
interface Row {
  readonly name: string;
  readonly cell: Cell;
  readonly outcomes: readonly Outcome[];
}

/** One table; cells that have no result yet stand in it and say so. */
export function tableOf(table: TableName, results: Results): Table {
  const rows = Object.entries(CELLS)
    .filter(([, cell]) => cell.table === table)
    .map(([name, cell]) => ({ name, cell, outcomes: outcomesOf(cell, results[name] ?? []) }));
  if (table === 'strategies') return strategiesTable(rows);
  return table === 'niid-bench' ? accuracyTable(rows) : roundsTable(rows);
}

function roundsTable(rows: readonly Row[]): Table {
  return {
    header: ['model', 'cell', 'target', 'paper', 'fedbatch', 'best accuracy', 'learning rates tried', 'time'],
    rows: rows.map(({ cell, outcomes }) => {
      const best = bestOutcome(outcomes);
      return [
        cell.model,
        cell.title,
        percent(cell.target, 0),
        'rounds' in cell.reference ? `${cell.reference.rounds}` : '',
        best === undefined ? 'not run yet' : `**${rounds(best)}**`,
        best === undefined ? '' : bestAccuracy(best),
        tried(cell, outcomes),
        time(outcomes),
      ];
    }),
  };
}

function accuracyTable(rows: readonly Row[]): Table {
  return {
    header: ['split', 'niid_bench, best of 50 rounds', 'fedbatch', 'rounds run', 'within 0.3 points', 'time'],
    rows: rows.map(({ cell, outcomes }) => {
      const best = bestOutcome(outcomes);
      const theirs = 'bestAccuracy' in cell.reference ? cell.reference.bestAccuracy : Number.NaN;
      const run = best?.accuracies.at(-1)?.round ?? 0;
      return [
        cell.title,
        percent(theirs),
        best === undefined ? 'not run yet' : `**${bestAccuracy(best)}**`,
        `${run}`,
        best?.rounds === undefined ? `not within ${run} rounds` : `from round ${Math.ceil(best.rounds)} on`,
        time(outcomes),
      ];
    }),
  };
}

function strategiesTable(rows: readonly Row[]): Table {
  return {
    header: [
      ...['split: strategy', 'niid_bench, best of 50 rounds', 'fedbatch, best', 'fedbatch, last round'],
      ...['best by learning rate', 'time'],
    ],
    rows: rows.map(({ cell, outcomes }) => {
      const best = bestOutcome(outcomes);
      const last = best?.accuracies.at(-1);
      const theirs = 'bestAccuracy' in cell.reference ? cell.reference.bestAccuracy : Number.NaN;
      return [
        cell.title,
        percent(theirs),
        best === undefined ? 'not run yet' : `**${bestAccuracy(best)}**`,
        last === undefined ? '' : `${percent(last.accuracy)} (round ${last.round})`,
        outcomes
          .map(({ learningRate, best: most }) => `${learningRate}: ${percent(most.accuracy)}`)
          .join('; '),
        time(outcomes),
      ];
    }),
  };
}

/** `19.4`, or how far it got. */
function rounds({ rounds: count, best, accuracies }: Outcome): string {
  if (count !== undefined) return count.toFixed(1);
  return `not in ${accuracies.at(-1)?.round} rounds (${percent(best.accuracy)} so far)`;
}

const bestAccuracy = ({ best }: Outcome): string => `${percent(best.accuracy)} (round ${best.round})`;

/** Every rate with its outcome, and those that are still to be tried. */
function tried({ learningRates }: Cell, outcomes: readonly Outcome[]): string {
  const done = outcomes.map((outcome) => `${outcome.learningRate}: ${rounds(outcome)}`);
  const open = learningRates
    .filter((rate) => !outcomes.some(({ learningRate }) => learningRate === rate))
    .map((rate) => `${rate}: not run yet`);
  return [...done, ...open].join('; ');
}

/** Of all attempts, in whole minutes, at least one: nothing finer is worth reading from a shared machine. */
function time(outcomes: readonly Outcome[]): string {
  const minutes = outcomes.reduce((sum, { seconds }) => sum + seconds, 0) / 60;
  return outcomes.length === 0 ? '' : `${Math.max(1, Math.round(minutes))} min`;
}

const percent = (share: number, digits = 2): string => `${(share * 100).toFixed(digits)} %`;
