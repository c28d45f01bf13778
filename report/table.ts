/**
 * Tables: of figures, a row each, columns in which nothing stands left out, sorted by a click where JavaScript is on;
 * and of bars.
 */
import { type Html, html } from '../lib/html/html.js';
import { coordinate, groupedCount } from './format.js';

/** A column: its title, and what stands in it. The first one names the row. */
export interface FigureColumn<Row> {
  readonly title: string;
  readonly cell: (row: Row) => string | number | Html | undefined;
  /** What rows are sorted by, where the text of the cell does not say it. */
  readonly by?: (row: Row) => number | null | undefined;
}

/** More rows make a page that nobody can use. */
const MOST_ROWS = 200;

/** Draws the table; `more` says where rows are that have no room. */
export function figuresTable<Row>(
  rows: readonly Row[],
  {
    title,
    columns,
    more = 'in the records',
  }: {
    /** What it is a table of, for readers who do not see it. */
    readonly title: string;
    readonly columns: readonly FigureColumn<Row>[];
    readonly more?: string;
  },
): Html {
  const shown = rows.slice(0, MOST_ROWS);
  const filled = columns
    .map(({ by, cell, ...column }) => ({
      ...column,
      cells: shown.map((row) => ({ text: cell(row), value: by?.(row) })),
    }))
    .filter(({ cells }, at) => at === 0 || cells.some(({ text }) => text !== undefined));
  const hidden = rows.length - shown.length;
  return html`<div class="scroll" role="region" tabindex="0" aria-label="${title}"><table class="figures-table sortable">
    <thead><tr>${filled.map((column) => html`<th scope="col">${column.title}</th>`)}</tr></thead>
    <tbody>${shown.map((_, row) => html`<tr>${filled.map(({ cells }, column) => cellOf(cells[row], column === 0))}</tr>`)}</tbody>
  </table></div>
  ${hidden > 0 && html`<p class="note">and ${groupedCount(hidden, 'more row')}, ${more}</p>`}`;
}

interface Cell {
  readonly text: string | number | Html | undefined;
  readonly value: number | null | undefined;
}

function cellOf(cell: Cell | undefined, isName: boolean): Html {
  const { text, value } = cell ?? {};
  const sortedBy = value === undefined || value === null ? undefined : html` data-v="${value}"`;
  return isName ? html`<th scope="row"${sortedBy}>${text}</th>` : html`<td${sortedBy}>${text}</td>`;
}

/** A row. */
interface BarRow {
  readonly name: string | number;
  /** Length of the bar: from 0 to 1. */
  readonly share: number;
  readonly value: string;
  /** What the value is of. */
  readonly note?: string;
}

/** Draws the rows, `total` below them. */
export function barTable(rows: readonly BarRow[], total?: Html): Html {
  return html`<table class="bars"><tbody>${rows.map(
    ({ name, share, value, note }) =>
      html`<tr><th scope="row">${name}</th><td class="bar"><svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true"><rect class="bar-fill" width="${coordinate(share * 100)}" height="1"/></svg></td><td>${value}</td>${note !== undefined && html`<td class="quiet">${note}</td>`}</tr>`,
  )}${total}</tbody></table>`;
}
