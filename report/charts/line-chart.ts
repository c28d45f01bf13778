/** Curves over rounds as inline SVG: axes, lines, their points, a target, and what each round has to read out. */
import { extent } from 'd3-array';
import { type ScaleLinear, scaleLinear } from 'd3-scale';
import { area, line } from 'd3-shape';
import { type Html, html } from '../../lib/html/html.js';
import { coordinate as at } from '../format.js';
import { axisText, LEFT, RIGHT, roundAxis, roundScale, valueAxis, WIDTH } from './axes.js';

/** What to draw. */
interface LineChart {
  /** Says in words what the picture shows, for readers who do not see it. */
  readonly description: string;
  readonly lines: readonly ChartLine[];
  /** Values that the axis spans at least. */
  readonly span?: readonly [number, number];
  /** Drawn as a line across. */
  readonly target?: number | undefined;
  /** Whether values are shares, written as percentages. */
  readonly isShare?: boolean;
  /** A value as it is read out. */
  readonly format: (value: number) => string;
}

/** One of the curves. */
export interface ChartLine {
  /** What it is called, where there are several. */
  readonly name?: string | undefined;
  /** In the order of `round`; a value that is null leaves a gap. */
  readonly points: readonly ChartPoint[];
}

/** One value of a curve. */
export interface ChartPoint {
  readonly round: number;
  readonly value: number | null;
  /** Drawn as a band that reaches so far to both sides of the value. */
  readonly spread?: number;
}

const HEIGHT = 220;
const TOP = 10;
const BOTTOM = 36;
/** More points than this are a line without dots. */
const MOST_DOTS = 60;
/** Curves that are read out; of more there would be no end. */
const MOST_TOLD = 12;
/** Colours of curves; further ones have them again, drawn in dots and dashes. */
const COLOURS = 8;

/** The class of the curve at a place among the others: its colour and its dashes. */
const curveClass = (place: number, lines: number) =>
  lines === 1 ? '' : ` c${place % COLOURS} d${Math.floor(place / COLOURS) % 3}`;

/** Draws the curves. */
export function lineChart({ description, lines, span, target, isShare, format }: LineChart): Html {
  const points = lines.flatMap((each) => each.points);
  const values = points.flatMap(({ value, spread = 0 }) =>
    value === null ? [] : [value - spread, value + spread],
  );
  const [low = 0, high = 1] = extent([...values, ...(span ?? []), ...(target === undefined ? [] : [target])]);
  const rounds = [...new Set(points.map(({ round }) => round))].sort((a, b) => a - b);
  const x = roundScale(rounds);
  const y = scaleLinear([low, high === low ? low + 1 : high], [HEIGHT - BOTTOM, TOP]).nice(5);
  const text = axisText(y, isShare);
  return html`<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${description}">
    ${valueAxis(y, isShare)}
    ${roundAxis(x, rounds, HEIGHT - BOTTOM)}
    ${target !== undefined && targetLine(y(target), text(target))}
    ${lines.map((each, place) => curve(each, { x, y, look: curveClass(place, lines.length) }))}
    ${readOuts(lines, { x, rounds, format })}
  </svg>`;
}

interface Scales {
  readonly x: ScaleLinear<number, number>;
  readonly y: ScaleLinear<number, number>;
}

function curve({ points }: ChartLine, { x, y, look }: Scales & { readonly look: string }): Html {
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
  return html`${band ? html`<path class="band${look}" d="${band}"/>` : undefined}<path class="curve${look}" d="${path ?? ''}"/>
    ${dots.map(({ round, value }) => html`<circle class="dot${look}" cx="${at(x(round))}" cy="${at(y(value))}" r="3"/>`)}`;
}

/** A strip for each round, which tells the values of all curves to whoever points at it. */
function readOuts(
  lines: readonly ChartLine[],
  {
    x,
    rounds,
    format,
  }: Pick<Scales, 'x'> & Pick<LineChart, 'format'> & { readonly rounds: readonly number[] },
): Html {
  const byRound = lines
    .slice(0, MOST_TOLD)
    .map(({ name, points }) => ({ name, values: new Map(points.map((each) => [each.round, each.value])) }));
  const step = Math.abs(x(1) - x(0));
  return html`${rounds.map((round) => {
    const told = byRound.flatMap(({ name, values }) => {
      const value = values.get(round);
      if (value === undefined || value === null) return [];
      return [`${name === undefined ? '' : `${name}: `}${format(value)}`];
    });
    const [left, right] = [Math.max(LEFT, x(round) - step / 2), Math.min(WIDTH - RIGHT, x(round) + step / 2)];
    return html`<g class="at"><rect x="${at(left)}" width="${at(Math.max(right - left, 1))}" y="${TOP}" height="${HEIGHT - BOTTOM - TOP}"/><line x1="${at(x(round))}" x2="${at(x(round))}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/><title>${[`round ${round}`, ...told].join('\n')}</title></g>`;
  })}`;
}

/** The names of curves beside their colours. */
export function legend(names: readonly string[]): Html {
  return html`<span class="legend">${names.map((name, place) => html`<span><svg class="swatch" viewBox="0 0 24 8" aria-hidden="true"><path class="curve${curveClass(place, names.length)}" d="M1 4H23"/></svg>${name}</span>`)}</span>`;
}

function targetLine(y: number, label: string): Html {
  return html`<line class="target" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at(y)}" y2="${at(y)}"/><text class="target-label" x="${WIDTH - RIGHT}" y="${at(y - 5)}" text-anchor="end">target ${label}</text>`;
}
