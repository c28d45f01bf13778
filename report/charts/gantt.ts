/** Which stage and which client was at work when, as inline SVG: a row each, time from left to right. */
import { max, rollups } from 'd3-array';
import { scaleLinear } from 'd3-scale';
import { type Html, html } from '../../lib/html/html.js';
import { formatDuration } from '../../lib/observability/format.js';
import { coordinate as at } from '../format.js';
import type { Span } from '../timeline.js';

const WIDTH = 640;
const LEFT = 112;
const RIGHT = 20;
const ROW = 24;
const TOP = 4;
const BOTTOM = 36;
/** More clients have no rows of their own: what any of them does is one row. */
const MOST_CLIENTS = 24;
/** More bars than these nobody can see: neighbours are drawn as one. */
const MOST_BARS = 2000;
/** Thinner bars would be lost. */
const LEAST_WIDTH = 1;

/** Draws the rows, stages in the order of a round, clients between them. */
export function gantt(timeline: readonly Span[]): Html {
  const spans = joined(timeline);
  const end = Math.max(max(spans, ({ to }) => to) ?? 0, 1e-3);
  const x = scaleLinear([0, end], [LEFT, WIDTH - RIGHT]);
  const rows = rollups(
    spans,
    (group) => group,
    ({ row }) => row,
  ).sort(([a], [b]) => place(a) - place(b));
  const bottom = TOP + ROW * rows.length;
  return html`<svg class="chart wide" viewBox="0 0 ${WIDTH} ${bottom + BOTTOM}" role="img" aria-label="${`When ${rows.map(([name]) => name).join(', ')} were at work, over ${formatDuration(end)}`}">
    ${x.ticks(6).map((tick) => html`<line class="grid" x1="${at(x(tick))}" x2="${at(x(tick))}" y1="${TOP}" y2="${bottom}"/><text class="tick" x="${at(x(tick))}" y="${bottom + 16}" text-anchor="middle">${tick}</text>`)}
    <text class="axis" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${bottom + 32}" text-anchor="middle">seconds since the session began</text>
    ${rows.map(([name, group], row) => html`<text class="tick" x="${LEFT - 8}" y="${at(TOP + ROW * (row + 0.5) + 4)}" text-anchor="end">${name}</text>${group.map((span) => bar(span, { x, top: TOP + ROW * row }))}`)}
  </svg>`;
}

function bar(
  { stage, round, from, to, row }: Span,
  { x, top }: { readonly x: (seconds: number) => number; readonly top: number },
): Html {
  const told = `${row}${round === undefined ? '' : `, round ${round}`}: ${formatDuration(to - from)}, from ${formatDuration(from)} on`;
  return html`<rect class="span ${stage}" x="${at(x(from))}" width="${at(Math.max(LEAST_WIDTH, x(to) - x(from) - 0.5))}" y="${top + 4}" height="${ROW - 8}" rx="2"><title>${told}</title></rect>`;
}

const STAGES = ['split', 'client', 'clients', 'train', 'aggregate', 'evaluate'];

/** Where a row stands: stages in their order, clients by their numbers. */
function place(row: string): number {
  const [word = '', number = '0'] = row.split(' ');
  return STAGES.indexOf(word) * 1e6 + Number(number);
}

/** Of many clients one row, of many spans fewer, each over all that a row did in a piece of time. */
function joined(timeline: readonly Span[]): readonly Span[] {
  const clients = new Set(timeline.flatMap(({ row }) => (row.startsWith('client ') ? [row] : [])));
  const spans = timeline.map((span) =>
    clients.size > MOST_CLIENTS && clients.has(span.row) ? { ...span, row: 'clients' } : span,
  );
  if (spans.length <= MOST_BARS) return spans;
  const end = max(spans, ({ to }) => to) ?? 1;
  // Pieces of time a bar's least width long, as many as the chart is wide.
  const piece = end / (WIDTH - LEFT - RIGHT);
  return rollups(
    spans,
    (group): Span => {
      const [first] = group as [Span, ...Span[]];
      return {
        row: first.row,
        stage: first.stage,
        from: first.from,
        to: max(group, ({ to }) => to) ?? first.to,
      };
    },
    ({ row, from }) => `${row} ${Math.floor(from / piece)}`,
  ).map(([, span]) => span);
}
