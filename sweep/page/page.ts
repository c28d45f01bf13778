/** The page of a sweep: one HTML document, made of `sweep.json` alone. */
import { type Html, html } from '../../lib/html/html.js';
import { formatDuration } from '../../lib/observability/format.js';
import { dateOf, grouped, groupedCount, metricText } from '../../report/format.js';
import { type HeadFigure, page } from '../../report/frame.js';
import { figuresTable } from '../../report/table.js';
import { SEED_PLACE, titleOf } from '../axes.js';
import { ranked, rankedMetric } from '../ranking.js';
import type { RankingRow, SweepRecord } from '../sweep-record.js';
import { courses, heatMap, type RatedRow, ratedRows } from './charts.js';
import { parallelCoordinates } from './parallel-coordinates.js';

/** What the page has beside the look of a report. */
const look = html`<style>
.heat th { padding: 4px 10px; white-space: nowrap; }
.heat td { min-width: 5.5em; height: 3em; padding: 4px 8px; }
.heat td.best { outline: 2px solid var(--target); outline-offset: -2px; font-weight: 660; }
.heat small { display: block; color: var(--ink); font-weight: 400; }
.chart.ways { width: auto; max-width: none; }
.chart.ways text { font-size: 12px; paint-order: stroke; stroke: var(--card); stroke-width: 3px; stroke-linejoin: round; }
.chart.ways .axis, .chart.ways .tick { fill: var(--ink); }
.chart.ways .axis { font-weight: 560; }
.upright { stroke: var(--quiet); }
.way { fill: none; stroke-width: 1.5; stroke-linejoin: round; stroke: color-mix(in srgb, var(--accent) calc(20% + var(--shade) * 80%), var(--line)); }
.way.unfinished { stroke-dasharray: 4 4; }
.way.best { stroke: var(--target); stroke-width: 3; }
</style>`;

/** The document. */
export function renderSweepPage(record: SweepRecord): string {
  const rows = ranked(record);
  const rated = ratedRows(rows);
  const axes = record.axes.filter(({ place }) => place !== SEED_PLACE);
  return page({
    command: 'sweep',
    title: record.id,
    look,
    lead: `${record.axes.map(({ name }) => name).join(' × ')}, ${groupedCount(record.trials.length, 'trial')}, begun ${dateOf(record.createdAt)}`,
    figures: sweepFigures(record, rows),
    main: [
      axes.length > 0 ? map(record, { rated, axes }) : undefined,
      courses(record, rated),
      ranking(rows, axes),
      unfinished(record),
    ],
    foot: html`Made by fedbatch from sweep.json; each trial has its own report in trials/.`,
  });
}

function sweepFigures({ trials, axes }: SweepRecord, rows: readonly RankingRow[]): readonly HeadFigure[] {
  const [best] = rows;
  const { metric = '', mean } = best ?? {};
  const result: readonly HeadFigure[] =
    best?.state !== 'finished' || mean === undefined
      ? []
      : [[`best ${metric}`, metricText(metric, mean), titleOf(best.values, axes)]];
  const count = (state: string) => trials.filter((trial) => trial.state === state).length;
  const seconds = rows.reduce((sum, row) => sum + row.seconds, 0);
  const others = (['stopped', 'failed', 'open'] as const).filter((state) => count(state) > 0);
  return [
    ...result,
    ['finished', grouped(count('finished')), `of ${groupedCount(trials.length, 'trial')}`],
    ...others.map((state) => [state, grouped(count(state))] as const),
    ['time', formatDuration(seconds), 'of all trials together'],
  ];
}

/** One or two axes of a grid are a heat map; more, and drawn ones, parallel coordinates. */
function map(
  { search }: SweepRecord,
  { rated, axes }: { readonly rated: readonly RatedRow[]; readonly axes: SweepRecord['axes'] },
): Html {
  const isMap = search.kind === 'grid' && axes.length <= 2;
  return html`<section class="card">
    <h2>What came of each configuration</h2>
    ${isMap ? heatMap(rated, axes) : parallelCoordinates(rated, axes)}
    <p class="note">${isMap ? 'The stronger the colour of a cell, the better; the best is framed.' : 'A line is a configuration: the stronger its colour the better, the best is green. Broken lines are configurations that did not finish.'}</p>
  </section>`;
}

interface RankedRow {
  readonly row: RankingRow;
  readonly rank: number;
}

function ranking(rows: readonly RankingRow[], axes: SweepRecord['axes']): Html {
  const text = ({ metric: name = '', mean, sd }: RankingRow) =>
    mean === undefined
      ? ''
      : `${metricText(name, mean)}${sd === undefined ? '' : ` ± ${metricText(name, sd)}`}`;
  return html`<section class="card">
    <h2>Ranking</h2>
    ${figuresTable(
      rows.map((row, at) => ({ row, rank: at + 1 })),
      {
        title: 'Configurations, the best first',
        more: 'in sweep.json',
        columns: [
          { title: 'rank', cell: ({ row, rank }) => (row.state === 'finished' ? rank : '') },
          ...axes.map(({ name, place }) => ({
            title: name,
            cell: ({ row }: RankedRow) => `${row.values[place] ?? ''}`,
          })),
          { title: rankedMetric(rows), by: ({ row }) => row.mean, cell: ({ row }) => text(row) },
          { title: 'seeds', cell: ({ row }) => row.trials.length },
          { title: 'rounds', cell: ({ row }) => Math.round(row.rounds * 10) / 10 },
          { title: 'time', by: ({ row }) => row.seconds, cell: ({ row }) => formatDuration(row.seconds) },
          { title: 'state', cell: ({ row }) => row.state },
        ],
      },
    )}
  </section>`;
}

/** Why trials were stopped, or failed. */
function unfinished({ trials, axes }: SweepRecord): Html | undefined {
  const told = trials.filter(({ reason }) => reason !== undefined);
  if (told.length === 0) return undefined;
  return html`<section class="card">
    <h2>Not finished</h2>
    <ul class="reasons">${told.map(({ number, values, seed, reason = '' }) => html`<li>${reason}<small>trial ${number}: ${titleOf(values, axes)}, seed ${seed}</small></li>`)}</ul>
  </section>`;
}
