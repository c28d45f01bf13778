/** Accuracy and loss over the rounds. */
import { type Html, html } from '../../lib/html/html.js';
import { lineChart } from '../charts/line-chart.js';
import { count, lossText, percent, shortPercent } from '../format.js';
import type { RunRecords } from '../records.js';

const LEAST_SPAN = 0.02;

/** Two curves; nothing where no round was tested. */
export function curves({ run, rounds }: RunRecords): Html | undefined {
  const tested = rounds.flatMap(({ round, evaluation }) => (evaluation ? [{ round, ...evaluation }] : []));
  const last = tested.at(-1);
  if (last === undefined) return undefined;
  const target = run.settings.federation.targetAccuracy;
  const reached = target === undefined ? undefined : tested.find(({ accuracy }) => accuracy >= target)?.round;
  return html`<section class="card">
    <h2>Over the rounds</h2>
    <div class="pair">
      <figure>${lineChart({
        description: `Accuracy after each of ${count(tested.length, 'round')}, at last ${percent(last.accuracy)}`,
        points: tested.map(({ round, accuracy }) => ({ round, value: accuracy })),
        span: around(last.accuracy),
        target,
        format: shortPercent,
      })}<figcaption>Accuracy on the test examples</figcaption></figure>
      <figure>${lineChart({
        description: `Loss after each of ${count(tested.length, 'round')}, at last ${lossText(last.loss)}`,
        points: tested.map(({ round, loss }) => ({ round, value: loss })),
        span: [0, 0],
        format: (value) => String(Number(value.toPrecision(3))),
      })}<figcaption>Loss on the test examples</figcaption></figure>
    </div>
    ${target !== undefined && html`<p class="note">${reached === undefined ? `No round reached the target of ${percent(target)}.` : `The target of ${percent(target)} was reached in round ${reached}.`}</p>`}
  </section>`;
}

/** One round, or rounds that hardly differ, are no reason to magnify the fourth digit. */
function around(accuracy: number): readonly [number, number] {
  return [Math.max(0, accuracy - LEAST_SPAN / 2), Math.min(1, accuracy + LEAST_SPAN / 2)];
}
