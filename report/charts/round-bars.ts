/** Stacked bars over rounds as inline SVG: how many of what, round by round. */
import { max } from 'd3-array';
import { scaleLinear } from 'd3-scale';
import { stack } from 'd3-shape';
import { type Html, html } from '../../lib/html/html.js';
import { coordinate as at } from '../format.js';
import { horizontal, roundAxis, roundScale, WIDTH } from './axes.js';

/** What to draw. */
interface RoundBars<K extends string> {
  readonly description: string;
  /** The parts of a bar from the bottom up; each is a class of the style sheet. */
  readonly parts: readonly K[];
  readonly rounds: readonly (Readonly<Record<K, number>> & { readonly round: number })[];
}

const HEIGHT = 160;
const TOP = 10;
const BOTTOM = 36;
const WIDEST = 28;

/** Draws the bars. */
export function roundBars<K extends string>({ description, parts, rounds }: RoundBars<K>): Html {
  const numbers = rounds.map(({ round }) => round);
  const x = roundScale(numbers, 0.6);
  const total = (round: Readonly<Record<K, number>>) => parts.reduce((sum, part) => sum + round[part], 0);
  const y = scaleLinear([0, max(rounds, total) ?? 1], [HEIGHT - BOTTOM, TOP]).nice(4);
  const step = Math.abs(x(2) - x(1));
  // Gaps between many bars would only make them pale.
  const width = Math.min(WIDEST, step * (rounds.length > 60 ? 1 : 0.8));
  const layers = stack<(typeof rounds)[number], K>()
    .keys(parts)
    .value((round, part) => round[part])(rounds);
  return html`<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${description}">
    ${y
      .ticks(4)
      .filter(Number.isInteger)
      .map((tick) => horizontal(y(tick), `${tick}`))}
    ${roundAxis(x, numbers, HEIGHT - BOTTOM)}
    ${layers.flatMap((layer) =>
      layer
        .filter(([from, to]) => to > from)
        .map(
          (bar) =>
            html`<rect class="${layer.key}" x="${at(x(bar.data.round) - width / 2)}" width="${at(width)}" y="${at(y(bar[1]))}" height="${at(y(bar[0]) - y(bar[1]))}"><title>round ${bar.data.round}: ${bar.data[layer.key]} ${layer.key}</title></rect>`,
        ),
    )}
  </svg>`;
}
