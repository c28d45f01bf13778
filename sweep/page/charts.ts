/** Charts of a sweep: the cells of a grid, and a line over the rounds for each trial; the stronger a colour, the better the configuration. */
import { extent } from 'd3-array';
import { scaleLinear } from 'd3-scale';
import { line } from 'd3-shape';
import { type Html, html } from '../../lib/html/html.js';
import type { SettingValue } from '../../lib/settings/value-type.js';
import { roundAxis, roundScale, valueAxis, WIDTH } from '../../report/charts/axes.js';
import { coordinate, metricText } from '../../report/format.js';
import { rowKey, titleOf } from '../axes.js';
import { rankedMetric, scoreOfRow } from '../ranking.js';
import type { RankingRow, SweepRecord, TrialRecord } from '../sweep-record.js';

/** A row of the ranking, and how good it is: 0 the worst, 1 the best; undefined without a result. */
export interface RatedRow {
  readonly row: RankingRow;
  readonly rating: number | undefined;
}

/** How good each finished row is among them. */
export function ratedRows(rows: readonly RankingRow[]): readonly RatedRow[] {
  const isRated = (row: RankingRow) => row.state === 'finished' && Number.isFinite(scoreOfRow(row));
  const [worst = 0, best = 0] = extent(rows.filter(isRated), scoreOfRow);
  return rows.map((row) => ({
    row,
    rating: isRated(row) ? (best === worst ? 1 : (scoreOfRow(row) - worst) / (best - worst)) : undefined,
  }));
}

/** In the order in which lines are drawn: no line covers that of the best. */
export const worstFirst = <T extends Pick<RatedRow, 'rating'>>(rated: readonly T[]): readonly T[] =>
  rated.toSorted((a, b) => (a.rating ?? -1) - (b.rating ?? -1));

/** A line of an SVG: a configuration, or one of its trials. */
interface Way extends Pick<RatedRow, 'rating'>, Pick<TrialRecord, 'state'> {
  /** What d3 draws; null is nothing. */
  readonly path: string | null;
  readonly title: string;
}

/** Draws it: the stronger its colour the better, broken where it did not finish. */
export function wayOf({ rating, state, path, title }: Way): Html {
  const best = rating === 1 ? ' best' : '';
  const unfinished = state === 'finished' ? '' : ' unfinished';
  return html`<path class="way${best}${unfinished}" style="--shade:${coordinate(rating ?? 0)}" d="${path ?? ''}"><title>${title}</title></path>`;
}

const HEIGHT = 220;
const TOP = 10;
const BOTTOM = 36;

/** Draws the lines; nothing where no trial has two rounds. */
export function courses({ trials, axes }: SweepRecord, rated: readonly RatedRow[]): Html | undefined {
  const longest = Math.max(0, ...trials.map(({ course }) => course.length));
  if (longest < 2) return undefined;
  const metric = rankedMetric(trials);
  const ratings = new Map(rated.map(({ row, rating }) => [rowKey(row), rating]));
  const [low = 0, high = 1] = extent(
    trials.flatMap(({ course }) => course.flatMap((value) => (value === null ? [] : [value]))),
  );
  const rounds = Array.from({ length: longest }, (_, index) => index + 1);
  const x = roundScale(rounds);
  const y = scaleLinear([low, high === low ? low + 1 : high], [HEIGHT - BOTTOM, TOP]).nice(5);
  const shown = worstFirst(trials.map((trial) => ({ ...trial, rating: ratings.get(rowKey(trial)) })));
  const lineOf = ({ course, values, state, rating, number }: (typeof shown)[number]) => {
    const path = line<number | null>(
      (_, index) => x(index + 1),
      (value) => y(value ?? 0),
    ).defined((value) => value !== null)(course);
    return wayOf({ rating, state, path, title: `trial ${number}: ${titleOf(values, axes)}` });
  };
  return html`<section class="card">
    <h2>Over the rounds</h2>
    <figure><svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${`${metric} of ${trials.length} trials after each of ${longest} rounds`}">
      ${valueAxis(y, metric === 'accuracy')}
      ${roundAxis(x, rounds, HEIGHT - BOTTOM)}
      ${shown.map(lineOf)}
    </svg><figcaption>${metric} on the test examples; broken lines are trials that did not finish</figcaption></figure>
  </section>`;
}

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
