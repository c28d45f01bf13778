/** The curves of several cells as one SVG that reads on light and on dark pages. */
import { scaleLinear, scaleLog } from 'd3-scale';
import { line } from 'd3-shape';
import type { CurvePoint } from './attempt.js';

/** One curve. */
export interface Curve {
  readonly label: string;
  readonly points: readonly CurvePoint[];
  /** Rounds after which the reference reached the target: a ring on the target's line. */
  readonly reference?: number | undefined;
}

/** What to draw. */
interface CurvesChart {
  readonly title: string;
  /** One colour for each, in this order; at most as many as there are colours. */
  readonly curves: readonly Curve[];
  /** Drawn as a line across. */
  readonly target?: number | undefined;
  /** Accuracies that the axis spans; what lies below is cut off. */
  readonly span: readonly [number, number];
}

const [WIDTH, HEIGHT] = [720, 400];
const [LEFT, RIGHT, TOP, BOTTOM] = [56, 16, 40, 44];
const LEGEND_LINE = 18;
/** Okabe and Ito's colours that stand out on white and on black, for readers of every colour vision. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#999933'];

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-size: 14px; font-weight: 600 }
  .grid { stroke: #8884; stroke-width: 1 }
  .target { stroke: #24292f; stroke-width: 1; stroke-dasharray: 5 4 }
  .curve { fill: none; stroke-width: 2; stroke-linejoin: round }
  .ring { fill: none; stroke-width: 2 }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .target { stroke: #e6edf3 } }
`;

/** Draws the curves over rounds on a logarithmic axis: a cell of 20 rounds and one of 600 share the picture. */
export function curvesChart({ title, curves, target, span }: CurvesChart): string {
  const last = Math.max(
    10,
    ...curves.flatMap(({ points, reference = 1 }) => [reference, points.at(-1)?.round ?? 1]),
  );
  const x = scaleLog([1, last], [LEFT, WIDTH - RIGHT]);
  const y = scaleLinear(span, [HEIGHT - BOTTOM, TOP]);
  const path = line<CurvePoint>(
    ({ round }) => x(round),
    ({ value }) => y(value),
  ).digits(1);
  const colour = (index: number) => COLOURS[index % COLOURS.length];
  const ticks = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].filter((tick) => tick <= last);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeXml(title)}">
<style>${STYLE}</style>
<clipPath id="plot"><rect x="${LEFT}" y="${TOP}" width="${WIDTH - LEFT - RIGHT}" height="${HEIGHT - TOP - BOTTOM}"/></clipPath>
<text class="title" x="${LEFT}" y="22">${escapeXml(title)}</text>
${y
  .ticks(5)
  .map(
    (tick) =>
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at(y(tick))}" y2="${at(y(tick))}"/><text x="${LEFT - 6}" y="${at(y(tick) + 4)}" text-anchor="end">${percent(tick)}</text>`,
  )
  .join('\n')}
${ticks.map((tick) => `<text x="${at(x(tick))}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${tick}</text>`).join('\n')}
<text x="${WIDTH - RIGHT}" y="${HEIGHT - 6}" text-anchor="end">rounds${target === undefined ? '' : '; a ring: where the paper has the target reached'}</text>
${target === undefined ? '' : targetLine(y(target), `target ${percent(target)}`)}
<g clip-path="url(#plot)">
${curves.map(({ points }, index) => `<path class="curve" stroke="${colour(index)}" d="${path(points) ?? ''}"/>`).join('\n')}
</g>
${curves.map(({ reference }, index) => (reference === undefined || target === undefined ? '' : `<circle class="ring" stroke="${colour(index)}" cx="${at(x(reference))}" cy="${at(y(target))}" r="5"/>`)).join('\n')}
${curves.map(({ label }, index) => legend(label, colour(index) ?? '', curves.length - index)).join('\n')}
</svg>
`;
}

const targetLine = (y: number, label: string): string =>
  `<line class="target" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at(y)}" y2="${at(y)}"/>
<text x="${LEFT + 6}" y="${at(y - 5)}">${label}</text>`;

/** An entry of the legend, in the lower right corner, where no curve runs; lines are counted from below. */
function legend(label: string, colour: string, fromBelow: number): string {
  const y = HEIGHT - BOTTOM - 2 - (fromBelow - 1) * LEGEND_LINE - 10;
  const end = WIDTH - RIGHT - 10;
  return `<text x="${end - 26}" y="${y + 4}" text-anchor="end">${escapeXml(label)}</text><line class="curve" stroke="${colour}" x1="${end - 20}" x2="${end}" y1="${y}" y2="${y}"/>`;
}

const at = (value: number): string => value.toFixed(1);

const percent = (share: number): string => `${Number((share * 100).toFixed(2))} %`;

const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
