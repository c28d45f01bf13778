/** A curve over rounds as inline SVG: axes, a line, its points, and a target. */
import { extent } from 'd3-array';
import { type ScaleLinear, scaleLinear } from 'd3-scale';
import { area, line } from 'd3-shape';
import { type Html, html } from '../../lib/html/html.js';
import { coordinate as at } from '../format.js';

/** What to draw. */
interface LineChart {
  /** Says in words what the picture shows, for readers who do not see it. */
  readonly description: string;
  /** In the order of `round`; a value that is null leaves a gap. */
  readonly points: readonly ChartPoint[];
  /** Values that the axis spans at least. */
  readonly span?: readonly [number, number];
  /** Drawn as a line across. */
  readonly target?: number | undefined;
  readonly format: (value: number) => string;
}

/** One value of the curve. */
interface ChartPoint {
  readonly round: number;
  readonly value: number | null;
  /** Drawn as a band that reaches so far to both sides of the value. */
  readonly spread?: number;
}

/** Size of every chart: drawn small, so that its text can be read on a phone. */
export const WIDTH = 400;
const HEIGHT = 220;
/** Room for the labels of the axes. */
const LEFT = 60;
const TOP = 10;
const RIGHT = 12;
const BOTTOM = 36;
/** More points than this are a line without dots. */
const MOST_DOTS = 60;

/** Draws the curve. */
export function lineChart({ description, points, span, target, format }: LineChart): Html {
  const values = points.flatMap(({ value, spread = 0 }) =>
    value === null ? [] : [value - spread, value + spread],
  );
  const [low = 0, high = 1] = extent([...values, ...(span ?? []), ...(target === undefined ? [] : [target])]);
  const rounds = points.map(({ round }) => round);
  const x = roundScale(rounds);
  const y = scaleLinear([low, high], [HEIGHT - BOTTOM, TOP]).nice(5);
  const path = line<ChartPoint>(
    ({ round }) => x(round),
    ({ value }) => y(value ?? 0),
  ).defined(({ value }) => value !== null)(points);
  const band = area<ChartPoint>(
    ({ round }) => x(round),
    ({ value, spread = 0 }) => y((value ?? 0) - spread),
    ({ value, spread = 0 }) => y((value ?? 0) + spread),
  ).defined(({ value, spread }) => value !== null && spread !== undefined)(points);
  const dots =
    points.length > MOST_DOTS
      ? []
      : points.flatMap(({ round, value }) => (value === null ? [] : [{ round, value }]));
  return html`<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${description}">
    ${valueAxis(y, format)}
    ${roundAxis(x, rounds, HEIGHT - BOTTOM)}
    ${target !== undefined && targetLine(y(target), format(target))}
    ${band ? html`<path class="band" d="${band}"/>` : undefined}<path class="curve" d="${path ?? ''}"/>
    ${dots.map(({ round, value }) => html`<circle class="dot" cx="${at(x(round))}" cy="${at(y(value))}" r="3"><title>round ${round}: ${format(value)}</title></circle>`)}
  </svg>`;
}

/** Lines across with their values. */
export function valueAxis(y: ScaleLinear<number, number>, format: LineChart['format']): Html {
  return html`${y.ticks(5).map((tick) => horizontal(y(tick), tickText(tick, format)))}`;
}

/** A number beside an axis, which has little room: `25K`, `3.2M`. */
const tickText = (tick: number, format: LineChart['format']): string =>
  Math.abs(tick) < 1000
    ? format(tick)
    : tick.toLocaleString('en', { notation: 'compact', maximumSignificantDigits: 3 });

/** From rounds to places on the horizontal axis; `margin` rounds stay free on both sides. */
export function roundScale(rounds: readonly number[], margin = 0): ScaleLinear<number, number> {
  const [first = 1, last = 1] = extent(rounds);
  const free = first === last ? Math.max(margin, 1) : margin;
  return scaleLinear([first - free, last + free], [LEFT, WIDTH - RIGHT]);
}

/** The numbers of rounds below a chart. */
export function roundAxis(x: ScaleLinear<number, number>, rounds: readonly number[], top: number): Html {
  const ticks = rounds.length === 1 ? rounds : x.ticks(6).filter(Number.isInteger);
  return html`${ticks.map((tick) => html`<text class="tick" x="${at(x(tick))}" y="${top + 16}" text-anchor="middle">${tick}</text>`)}
    <text class="axis" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${top + 32}" text-anchor="middle">round</text>`;
}

/** A line of the grid with its value. */
export function horizontal(y: number, label: string): Html {
  return html`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at(y)}" y2="${at(y)}"/><text class="tick" x="${LEFT - 8}" y="${at(y + 4)}" text-anchor="end">${label}</text>`;
}

function targetLine(y: number, label: string): Html {
  return html`<line class="target" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at(y)}" y2="${at(y)}"/><text class="target-label" x="${WIDTH - RIGHT}" y="${at(y - 5)}" text-anchor="end">target ${label}</text>`;
}
