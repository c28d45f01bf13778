/** The course of a run: accuracy and loss over the rounds, and where the time went. */

import { max, sum } from 'd3-array';
import { targetOf } from '../../lib/federation/early-stop.js';
import { leadingFigure, metricIn, reaches } from '../../lib/federation/metrics.js';
import { type Html, html } from '../../lib/html/html.js';
import { formatSeconds } from '../../lib/observability/format.js';
import { barTable } from '../charts/bar-table.js';
import { lineChart } from '../charts/line-chart.js';
import { axisText, groupedCount, lossText, metricText } from '../format.js';
import type { RunRecords } from '../records.js';

const LEAST_SPAN = 0.02;

/** Two curves; nothing where no round was tested. */
export function curves({ run, rounds }: RunRecords): Html | undefined {
  const tested = rounds.flatMap(({ round, evaluation }) => (evaluation ? [{ round, ...evaluation }] : []));
  const last = tested.at(-1);
  if (last === undefined) return undefined;
  const goal = targetOf(run.settings.federation);
  const target = goal?.value;
  const { metric, value: lastValue } = leadingFigure(last, goal);
  const text = (value: number) => metricText(metric, value);
  const reached = goal && tested.find((test) => reaches(metricIn(test, metric), goal))?.round;
  const title = `${metric[0]?.toUpperCase()}${metric.slice(1)}`;
  return html`<section class="card">
    <h2>Over the rounds</h2>
    <div class="pair">
      <figure>${lineChart({
        description: `${title} after each of ${groupedCount(tested.length, 'round')}, at last ${text(lastValue)}`,
        points: tested.map((test) => ({ round: test.round, value: metricIn(test, metric) })),
        span: metric === 'accuracy' ? around(lastValue) : [0, 0],
        target,
        format: axisText(metric),
      })}<figcaption>${title} on the test examples</figcaption></figure>
      <figure>${lineChart({
        description: `Loss after each of ${groupedCount(tested.length, 'round')}, at last ${lossText(last.loss)}`,
        points: tested.map(({ round, loss }) => ({ round, value: loss })),
        span: [0, 0],
        format: (value) => String(Number(value.toPrecision(3))),
      })}<figcaption>Loss on the test examples</figcaption></figure>
    </div>
    ${target !== undefined && html`<p class="note">${reached === undefined ? `No round reached the target of ${text(target)}.` : `The target of ${text(target)} was reached in round ${reached}.`}</p>`}
  </section>`;
}

/** One round, or rounds that hardly differ, are no reason to magnify the fourth digit. */
function around(accuracy: number): readonly [number, number] {
  return [Math.max(0, accuracy - LEAST_SPAN / 2), Math.min(1, accuracy + LEAST_SPAN / 2)];
}

/** The steps of a round. */
const STEPS = ['train', 'aggregate', 'evaluate'] as const;

/** Seconds of each stage; nothing where no session has come to its end. */
export function stages({ sessions, rounds }: RunRecords): Html | undefined {
  const last = sessions.at(-1);
  if (last === undefined) return undefined;
  const { total = 0, ...seconds } = last.seconds;
  const rows = Object.entries(seconds);
  const longest = Math.max(max(rows, ([, spent]) => spent) ?? 0, 1e-9);
  return html`<section class="card">
    <h2>Time per stage</h2>
    ${barTable(
      rows.map(([name, spent]) => ({ name, share: spent / longest, value: formatSeconds(spent) })),
      html`<tr class="total"><th scope="row">total</th><td></td><td>${formatSeconds(total)}</td></tr>`,
    )}
    ${rounds.some(({ seconds: spent }) => spent) && html`<p class="note">All rounds together, earlier sessions included: ${STEPS.map((step) => `${step} ${formatSeconds(sum(rounds, (round) => round.seconds?.[step]))}`).join(', ')}.</p>`}
    ${sessions.length > 1 && html`<p class="note">Of the last of ${groupedCount(sessions.length, 'session')}: what earlier ones had finished was skipped.</p>`}
  </section>`;
}
