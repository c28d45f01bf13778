/** Which labels which clients hold, as inline SVG: a column for each client, a row for each label, sizes on top. */
import { max } from 'd3-array';
import { scaleLinear } from 'd3-scale';
import { type Html, html } from '../../lib/html/html.js';
import { coordinate as at, grouped, shortPercent } from '../format.js';
import type { LabelColumns } from './label-columns.js';

const WIDTH = 640;
const LEFT = 64;
const SIZES = 72;
const GAP = 8;
const BOTTOM = 34;
const WIDEST = 48;

/** The largest share of a column's examples that one row has: what the strongest colour stands for. */
export const largestShare = ({ columns }: LabelColumns): number =>
  max(columns, ({ shares }) => max(shares)) ?? 1;

/** Steps of the scale of colours. */
const STEPS = 6;

/** The colours of the picture from none to the strongest, with what they stand for. */
export function shareScale(picture: LabelColumns): Html {
  const steps = Array.from({ length: STEPS }, (_, step) => (step + 1) / STEPS);
  return html`<span class="scale">0 %<svg viewBox="0 0 ${STEPS} 1" preserveAspectRatio="none" aria-hidden="true">${steps.map((share, step) => html`<rect class="cell" x="${step}" width="1" height="1" fill-opacity="${at(share)}"/>`)}</svg>${shortPercent(largestShare(picture))} of a client's examples</span>`;
}

/** Draws the picture; of data without labels the sizes alone. */
export function labelPicture(picture: LabelColumns, description: string): Html {
  const { columns, rows } = picture;
  const width = Math.min(WIDEST, (WIDTH - LEFT) / columns.length);
  const height = Math.max(9, Math.min(22, 320 / rows.length));
  const top = SIZES + GAP;
  const bottom = top + height * rows.length;
  const largest = max(columns, ({ examples }) => examples) ?? 1;
  const size = scaleLinear([0, largest], [0, SIZES - 28]);
  const shade = scaleLinear([0, largestShare(picture)], [0, 1]);
  const right = LEFT + width * columns.length;
  const labelled = (index: number, length: number) => length <= 12 || index % Math.ceil(length / 10) === 0;
  return html`<svg class="chart wide" viewBox="0 0 ${WIDTH} ${at(bottom + BOTTOM)}" role="img" aria-label="${description}">
    ${columns.map(
      ({ name, examples }, column) =>
        html`<rect class="size" x="${at(LEFT + column * width + width * 0.1)}" width="${at(width * 0.8)}" y="${at(SIZES - size(examples))}" height="${at(size(examples))}"><title>${name}: ${grouped(Math.round(examples))} examples</title></rect>`,
    )}
    ${[0, largest].map((tick) => html`<line class="grid" x1="${LEFT}" x2="${at(right)}" y1="${at(SIZES - size(tick))}" y2="${at(SIZES - size(tick))}"/><text class="tick" x="${LEFT - 8}" y="${at(SIZES - size(tick) + 4)}" text-anchor="end">${grouped(Math.round(tick))}</text>`)}
    <text class="axis" x="${LEFT}" y="18">examples</text>
    ${rows
      .map((row, index) => ({ row, index }))
      .filter(({ index }) => labelled(index, rows.length))
      .map(
        ({ row, index }) =>
          html`<text class="tick" x="${LEFT - 8}" y="${at(top + height * (index + 0.5) + 4)}" text-anchor="end">${row}</text>`,
      )}
    <rect class="field" x="${LEFT}" y="${top}" width="${at(right - LEFT)}" height="${at(bottom - top)}"/>
    ${columns.flatMap(({ name, shares }, column) =>
      shares
        .map((share, row) => ({ share, row }))
        .filter(({ share }) => share > 0)
        .map(
          ({ share, row }) =>
            html`<rect class="cell" x="${at(LEFT + column * width)}" width="${at(width)}" y="${at(top + row * height)}" height="${at(height)}" fill-opacity="${at(shade(share))}"><title>${name}, label ${rows[row]}: ${(share * 100).toFixed(1)} %</title></rect>`,
        ),
    )}
    ${columns
      .map(({ tick }, column) => ({ tick, column }))
      .filter(({ column }) => labelled(column, columns.length))
      .map(
        ({ tick, column }) =>
          html`<text class="tick" x="${at(LEFT + (column + 0.5) * width)}" y="${at(bottom + 15)}" text-anchor="middle">${tick}</text>`,
      )}
    <text class="axis" x="${at((LEFT + right) / 2)}" y="${at(bottom + 31)}" text-anchor="middle">${picture.axis}</text>
  </svg>`;
}
