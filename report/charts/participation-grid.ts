/** Who took part when, as inline SVG: a row for each client, a column for each round; of many, neighbours share a cell. */
import { type Html, html } from '../../lib/html/html.js';
import { coordinate as at, grouped } from '../format.js';

/** What became of one client's turn. */
export interface Turn {
  readonly client: number;
  readonly round: number;
  readonly ending: (typeof ENDINGS)[number];
}

/** From the best to the worst. */
const ENDINGS = ['reported', 'missing', 'rejected'] as const;

const WIDTH = 640;
const LEFT = 64;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 34;
const HEIGHT = 300;
/** Extent of a cell, where there is room. */
const WIDEST = 36;
const HIGHEST = 18;
/** More rows or columns could not be told apart. */
const MOST_ROWS = 60;
const MOST_COLUMNS = 120;
/** A cell in which few took part is still to be seen. */
const PALEST = 0.3;

/** Draws the grid. */
export function participationGrid(
  turns: readonly Turn[],
  {
    clients,
    rounds,
    description,
  }: { readonly clients: number; readonly rounds: number; readonly description: string },
): Html {
  const [perRow, perColumn] = [Math.ceil(clients / MOST_ROWS), Math.ceil(rounds / MOST_COLUMNS)];
  const [rows, columns] = [Math.ceil(clients / perRow), Math.ceil(rounds / perColumn)];
  const width = Math.min(WIDEST, (WIDTH - LEFT - RIGHT) / columns);
  const height = Math.min(HIGHEST, HEIGHT / rows);
  const [right, bottom] = [LEFT + width * columns, TOP + height * rows];
  const cells = new Map<number, Turn[]>();
  for (const turn of turns) {
    const cell = Math.floor(turn.client / perRow) * columns + Math.floor((turn.round - 1) / perColumn);
    const found = cells.get(cell);
    if (found === undefined) cells.set(cell, [turn]);
    else found.push(turn);
  }
  const ticks = (length: number, per: number, first: number) =>
    Array.from({ length }, (_, index) => ({ index, text: `${index * per + first}` })).filter(
      ({ index }) => length <= 12 || index % Math.ceil(length / 10) === 0,
    );
  return html`<svg class="chart wide" viewBox="0 0 ${WIDTH} ${at(bottom + BOTTOM)}" role="img" aria-label="${description}">
    <rect class="field" x="${LEFT}" y="${TOP}" width="${at(right - LEFT)}" height="${at(bottom - TOP)}"/>
    ${ticks(rows, perRow, 0).map(({ index, text }) => html`<text class="tick" x="${LEFT - 8}" y="${at(TOP + height * (index + 0.5) + 4)}" text-anchor="end">${text}</text>`)}
    ${ticks(columns, perColumn, 1).map(({ index, text }) => html`<text class="tick" x="${at(LEFT + width * (index + 0.5))}" y="${at(bottom + 15)}" text-anchor="middle">${text}</text>`)}
    ${[...cells].map(([cell, found]) => {
      const [row, column] = [Math.floor(cell / columns), cell % columns];
      const worst = ENDINGS.findLast((each) => found.some(({ ending }) => ending === each)) ?? 'reported';
      const share = found.length / (perRow * perColumn);
      return html`<rect class="${worst}" x="${at(LEFT + width * column + width * 0.06)}" width="${at(width * 0.88)}" y="${at(TOP + height * row + height * 0.06)}" height="${at(height * 0.88)}" fill-opacity="${at(PALEST + (1 - PALEST) * Math.min(1, share))}"><title>${told(found)}</title></rect>`;
    })}
    <text class="axis" x="${LEFT - 8}" y="${at(bottom + 15)}" text-anchor="end">client</text>
    <text class="axis" x="${at(Math.max((LEFT + right) / 2, LEFT + 20))}" y="${at(bottom + 31)}" text-anchor="middle">round</text>
  </svg>`;
}

/** A cell in words: of one client and round, or how many of what. */
function told(turns: readonly Turn[]): string {
  const range = (values: readonly number[]) => {
    const [least, most] = [Math.min(...values), Math.max(...values)];
    return least === most ? `${least}` : `${least} to ${most}`;
  };
  const where = `client ${range(turns.map(({ client }) => client))}, round ${range(turns.map(({ round }) => round))}`;
  const counts = ENDINGS.map((each) => [each, turns.filter(({ ending }) => ending === each).length] as const)
    .filter(([, count]) => count > 0)
    .map(([each, count]) => (turns.length === 1 ? each : `${grouped(count)} ${each}`));
  return `${where}: ${counts.join(', ')}`;
}
