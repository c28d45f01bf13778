/** A grid of one or two axes as a heat map: the stronger the colour of a cell, the better its configuration. */
import { type Html, html } from '../../lib/html/html.js';
import type { SettingValue } from '../../lib/settings/value-type.js';
import { coordinate, metricText } from '../../report/format.js';
import type { SweepRecord } from '../sweep-record.js';
import type { RatedRow } from './rated-rows.js';

/** The palest and the darkest of cells with a result: figures are readable on both. */
const SHADES = { least: 0.1, most: 0.85 };

/** Draws the map; `axes` are one or two that have values. */
export function heatMap(rated: readonly RatedRow[], axes: SweepRecord['axes']): Html {
  const across = axes.at(-1);
  const down = axes.length > 1 ? axes[0] : undefined;
  const cellAt = (top: SettingValue, side?: SettingValue) =>
    rated.find(
      ({ row: { values } }) =>
        values[across?.place ?? ''] === top && (down === undefined || values[down.place] === side),
    );
  const tops = across?.values ?? [];
  const sides = down?.values ?? [undefined];
  return html`<div class="scroll" role="region" tabindex="0" aria-label="What came of each configuration"><table class="matrix heat">
    <thead>
      <tr>${down && html`<td></td>`}<th scope="colgroup" colspan="${tops.length}">${across?.name ?? ''}</th></tr>
      <tr>${down && html`<th scope="col">${down.name}</th>`}${tops.map((top) => html`<th scope="col">${`${top}`}</th>`)}</tr>
    </thead>
    <tbody>${sides.map((side) => html`<tr>${side !== undefined && html`<th scope="row">${`${side}`}</th>`}${tops.map((top) => cell(cellAt(top, side)))}</tr>`)}</tbody>
  </table></div>`;
}

function cell(rated: RatedRow | undefined): Html {
  if (rated === undefined) return html`<td></td>`;
  const { row, rating } = rated;
  const shade = rating === undefined ? 0 : SHADES.least + (SHADES.most - SHADES.least) * rating;
  const text = row.mean === undefined ? '' : metricText(row.metric ?? '', row.mean);
  const spread =
    row.sd === undefined ? undefined : html`<small>± ${metricText(row.metric ?? '', row.sd)}</small>`;
  const state = row.state === 'finished' ? undefined : html`<small>${row.state}</small>`;
  return html`<td class="right${rating === 1 ? ' best' : ''}" style="--shade:${coordinate(shade)}">${text}${spread}${state}</td>`;
}
