/** How good each configuration is among those that finished, and lines whose colour says so. */
import { extent } from 'd3-array';
import { type Html, html } from '../../lib/html/html.js';
import { coordinate } from '../../report/format.js';
import { scoreOfRow } from '../ranking.js';
import type { RankingRow, TrialRecord } from '../sweep-record.js';

/** A row of the ranking, and how good it is: 0 the worst, 1 the best; undefined without a result. */
export interface RatedRow {
  readonly row: RankingRow;
  readonly rating: number | undefined;
}

/** How good each finished row is among them. */
export function ratedRows(rows: readonly RankingRow[]): readonly RatedRow[] {
  const isRated = (row: RankingRow) => row.state === 'finished' && Number.isFinite(scoreOfRow(row));
  const [worst = 0, best = 0] = extent(rows.filter(isRated), scoreOfRow);
  return rows.map((row) => ({
    row,
    rating: isRated(row) ? (best === worst ? 1 : (scoreOfRow(row) - worst) / (best - worst)) : undefined,
  }));
}

/** In the order in which lines are drawn: no line covers that of the best. */
export const worstFirst = <T extends Pick<RatedRow, 'rating'>>(rated: readonly T[]): readonly T[] =>
  rated.toSorted((a, b) => (a.rating ?? -1) - (b.rating ?? -1));

/** A line of an SVG: a configuration, or one of its trials. */
interface Way extends Pick<RatedRow, 'rating'>, Pick<TrialRecord, 'state'> {
  /** What d3 draws; null is nothing. */
  readonly path: string | null;
  readonly title: string;
}

/** Draws it: the stronger its colour the better, broken where it did not finish. */
export function wayOf({ rating, state, path, title }: Way): Html {
  const best = rating === 1 ? ' best' : '';
  const unfinished = state === 'finished' ? '' : ' unfinished';
  return html`<path class="way${best}${unfinished}" style="--shade:${coordinate(rating ?? 0)}" d="${path ?? ''}"><title>${title}</title></path>`;
}
