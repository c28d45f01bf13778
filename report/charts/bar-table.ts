/** A table whose rows have a bar each, as long as the row's share of the longest. */
import { type Html, html } from '../../lib/html/html.js';
import { coordinate } from '../format.js';

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
