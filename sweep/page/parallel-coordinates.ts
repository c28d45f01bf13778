/** Configurations of many axes as lines that cross an upright for each axis; the last upright is what came of them. */
import { extent } from 'd3-array';
import { scaleLinear, scaleLog, scalePoint } from 'd3-scale';
import { line } from 'd3-shape';
import { scoreOfFigure } from '../../lib/federation/metrics.js';
import { type Html, html } from '../../lib/html/html.js';
import { coordinate as at, metricText } from '../../report/format.js';
import { titleOf } from '../axes.js';
import { rankedMetric } from '../ranking.js';
import type { SweepRecord } from '../sweep-record.js';
import { type RatedRow, wayOf, worstFirst } from './charts.js';

/** Room of an upright with its labels: as much as a name of a setting takes. */
const COLUMN = 150;
const HEIGHT = 320;
const TOP = 44;
const BOTTOM = 16;
/** Left of the first upright, for its labels. */
const LEFT = 104;
/** Labels of an upright at most. */
const MOST_TICKS = 9;
/** Characters of a label, and of the name of an upright, at most: a file's whole path has no room. */
const MOST_LETTERS = { label: 14, name: 20 };

/** Where values stand on an upright, and which of them are written beside it. */
interface Upright {
  readonly name: string;
  position(row: RatedRow): number | undefined;
  readonly ticks: readonly (readonly [y: number, text: string])[];
}

/** Draws the lines, the best last so that none covers it. */
export function parallelCoordinates(rated: readonly RatedRow[], axes: SweepRecord['axes']): Html {
  const uprights = [...axes.map((axis) => uprightOf(axis)), resultUpright(rated)];
  const x = (column: number) => LEFT + column * COLUMN;
  const width = x(uprights.length - 1) + LEFT;
  const lineOf = (each: RatedRow) => {
    const points = uprights.map((upright, column) => [x(column), upright.position(each)] as const);
    const path = line<(typeof points)[number]>(
      ([left]) => left,
      ([, top]) => top ?? 0,
    ).defined(([, top]) => top !== undefined)(points);
    const { row, rating } = each;
    const result = row.mean === undefined ? row.state : metricText(row.metric ?? '', row.mean);
    return wayOf({ rating, state: row.state, path, title: `${titleOf(row.values, axes)}: ${result}` });
  };
  return html`<div class="scroll" role="region" tabindex="0" aria-label="What came of each configuration"><svg class="chart ways" width="${width}" height="${HEIGHT}" viewBox="0 0 ${width} ${HEIGHT}" role="img" aria-label="${`${rated.length} configurations of ${axes.map(({ name }) => name).join(', ')}, and what came of each`}">
    ${worstFirst(rated).map(lineOf)}
    ${uprights.map(({ name, ticks }, column) => html`<line class="upright" x1="${x(column)}" x2="${x(column)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/><text class="axis" x="${x(column)}" y="${TOP - 20}" text-anchor="middle">${short(name, MOST_LETTERS.name)}</text>${ticks.map(([y, text]) => html`<text class="tick" x="${x(column) - 6}" y="${at(y + 4)}" text-anchor="end">${text}</text>`)}`)}
  </svg></div>`;
}

const RANGE: readonly [number, number] = [HEIGHT - BOTTOM, TOP];

function uprightOf({ place, name, values, range }: SweepRecord['axes'][number]): Upright {
  if (range === undefined) {
    const scale = scalePoint((values ?? []).map(String), RANGE).padding(0.2);
    const position = ({ row }: RatedRow) => scale(`${row.values[place]}`);
    const ticks = thinned(values ?? []).map(
      (value) => [scale(`${value}`) ?? 0, short(`${value}`, MOST_LETTERS.label)] as const,
    );
    return { name, position, ticks };
  }
  const ends = [range.from, range.to];
  const scale = range.isLog ? scaleLog(ends, RANGE) : scaleLinear(ends, RANGE);
  const position = ({ row }: RatedRow) => scale(Number(row.values[place]));
  const between = scale.ticks(range.isLog ? 3 : 5).filter((tick) => isApart(scale(tick)));
  const texts = [...new Set([range.from, ...between, range.to])].map(
    (tick) => [scale(tick), `${Number(tick.toPrecision(4))}`] as const,
  );
  return { name, position, ticks: thinned(texts) };
}

/** Labels of ends have room of their own. */
const isApart = (y: number) => y < RANGE[0] - 18 && y > RANGE[1] + 18;

/** The metric: the better end is on top. */
function resultUpright(rated: readonly RatedRow[]): Upright {
  const means = rated.flatMap(({ row }) => (row.mean === undefined ? [] : [row.mean]));
  const metric = rankedMetric(rated.map(({ row }) => row));
  const [low = 0, high = 1] = extent(means);
  const isHigherBetter = scoreOfFigure({ metric, value: 1 }) > scoreOfFigure({ metric, value: 0 });
  const domain: readonly [number, number] = low === high ? [low - 1, high + 1] : [low, high];
  const scale = scaleLinear(isHigherBetter ? domain : [domain[1], domain[0]], RANGE);
  const inner = scale.ticks(5).filter((tick) => isApart(scale(tick)));
  const ticks = [...new Set([low, ...inner, high])].map(
    (tick) => [scale(tick), metricText(metric, tick)] as const,
  );
  return {
    name: metric,
    position: ({ row }) => (row.mean === undefined ? undefined : scale(row.mean)),
    ticks: means.length === 0 ? [] : ticks,
  };
}

/** So many that all can be read, the first and the last among them. */
function thinned<T>(items: readonly T[]): readonly T[] {
  const step = Math.ceil(items.length / MOST_TICKS);
  return items.filter((_, index) => index % step === 0 || index === items.length - 1);
}

const short = (text: string, most: number): string =>
  text.length <= most ? text : `…${text.slice(1 - most)}`;
