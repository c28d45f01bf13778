/** How the trials of a sweep did over the rounds: a line for each. */
import { extent } from 'd3-array';
import { scaleLinear } from 'd3-scale';
import { line } from 'd3-shape';
import { type Html, html } from '../../lib/html/html.js';
import { roundAxis, roundScale, valueAxis, WIDTH } from '../../report/charts/axes.js';
import { rowKey, titleOf } from '../axes.js';
import { rankedMetric } from '../ranking.js';
import type { SweepRecord } from '../sweep-record.js';
import { type RatedRow, wayOf, worstFirst } from './rated-rows.js';

const HEIGHT = 220;
const TOP = 10;
const BOTTOM = 36;

/** Draws the lines; nothing where no trial has two rounds. */
export function courses({ trials, axes }: SweepRecord, rated: readonly RatedRow[]): Html | undefined {
  const longest = Math.max(0, ...trials.map(({ course }) => course.length));
  if (longest < 2) return undefined;
  const metric = rankedMetric(trials);
  const ratings = new Map(rated.map(({ row, rating }) => [rowKey(row), rating]));
  const [low = 0, high = 1] = extent(
    trials.flatMap(({ course }) => course.flatMap((value) => (value === null ? [] : [value]))),
  );
  const rounds = Array.from({ length: longest }, (_, index) => index + 1);
  const x = roundScale(rounds);
  const y = scaleLinear([low, high === low ? low + 1 : high], [HEIGHT - BOTTOM, TOP]).nice(5);
  const shown = worstFirst(trials.map((trial) => ({ ...trial, rating: ratings.get(rowKey(trial)) })));
  const lineOf = ({ course, values, state, rating, number }: (typeof shown)[number]) => {
    const path = line<number | null>(
      (_, index) => x(index + 1),
      (value) => y(value ?? 0),
    ).defined((value) => value !== null)(course);
    return wayOf({ rating, state, path, title: `trial ${number}: ${titleOf(values, axes)}` });
  };
  return html`<section class="card">
    <h2>Over the rounds</h2>
    <figure><svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${`${metric} of ${trials.length} trials after each of ${longest} rounds`}">
      ${valueAxis(y, metric === 'accuracy')}
      ${roundAxis(x, rounds, HEIGHT - BOTTOM)}
      ${shown.map(lineOf)}
    </svg><figcaption>${metric} on the test examples; broken lines are trials that did not finish</figcaption></figure>
  </section>`;
}
