/** What charts over rounds share: their size, both axes, and numbers beside an axis that are all written alike. */
import { extent } from 'd3-array';
import { type ScaleLinear, scaleLinear } from 'd3-scale';
import { type Html, html } from '../../lib/html/html.js';
import { coordinate as at } from '../format.js';

/** Width of every chart: drawn small, so that its text can be read on a phone. */
export const WIDTH = 400;
/** Room for the labels of the axes. */
export const LEFT = 60;
export const RIGHT = 12;

/** How many lines lie across a chart, about. */
const TICKS = 5;
/** From here on thousands are counted, then millions and so on: an axis has little room. */
const LEAST_PREFIXED = 10_000;
/** Below this, and above what prefixes reach, numbers have an exponent. */
const LEAST_PLAIN = 1e-3;
const MOST_PREFIXED = 1e24;

/** Writes the numbers beside an axis, all with the same decimals and the same prefix: `92.5 %`, `0.050`, `25k`. */
export function axisText(scale: ScaleLinear<number, number>, isShare = false): (tick: number) => string {
  const largest = Math.max(...scale.domain().map(Math.abs));
  const isPlain = largest >= LEAST_PLAIN || largest === 0;
  const isPrefixed = largest >= LEAST_PREFIXED && largest < MOST_PREFIXED;
  const kind = isShare ? '%' : isPrefixed ? 's' : isPlain && largest < LEAST_PREFIXED ? ',f' : '.1e';
  const format = scale.tickFormat(TICKS, kind);
  return (tick) => format(tick).replace('%', ' %');
}

/** Lines across with their values. */
export function valueAxis(y: ScaleLinear<number, number>, isShare = false): Html {
  const text = axisText(y, isShare);
  return html`${y.ticks(TICKS).map((tick) => horizontal(y(tick), text(tick)))}`;
}

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
