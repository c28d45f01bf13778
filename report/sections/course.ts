/** The course of a run: curves of the metric that leads and of the loss, and all metrics round by round. */

import { sum } from 'd3-array';
import { targetOf } from '../../lib/federation/early-stop.js';
import { leadingFigure, metricIn, reaches } from '../../lib/federation/metrics.js';
import type { RoundRecord } from '../../lib/formats/run-record.js';
import { type Html, html } from '../../lib/html/html.js';
import { type ChartLine, legend, lineChart } from '../charts/line-chart.js';
import { groupedCount, lossText, metricText } from '../format.js';
import type { RunRecords } from '../records.js';
import { type FigureColumn, figuresTable } from '../table.js';

const LEAST_SPAN = 0.02;

/** A round whose global model was tested. */
type TestedRound = NonNullable<RoundRecord['evaluation']> & Pick<RoundRecord, 'round' | 'reported'>;

/** Two charts and a table; nothing where no round was tested. */
export function curves({ run, rounds }: RunRecords): Html | undefined {
  const tested = rounds.flatMap(({ round, reported, evaluation }) =>
    evaluation ? [{ round, reported, ...evaluation }] : [],
  );
  const last = tested.at(-1);
  if (last === undefined) return undefined;
  const goal = targetOf(run.settings.federation);
  const target = goal?.value;
  const { metric, value: lastValue } = leadingFigure(last, goal);
  const text = (value: number) => metricText(metric, value);
  const reached = goal && tested.find((test) => reaches(metricIn(test, metric), goal))?.round;
  const title = `${metric[0]?.toUpperCase()}${metric.slice(1)}`;
  const losses = lossLines(tested);
  return html`<section class="card">
    <h2>Over the rounds</h2>
    <div class="pair">
      <figure>${lineChart({
        description: `${title} after each of ${groupedCount(tested.length, 'round')}, at last ${text(lastValue)}`,
        lines: [
          { points: tested.map((test) => ({ round: test.round, value: finite(metricIn(test, metric)) })) },
        ],
        span: metric === 'accuracy' ? around(lastValue) : [0, 0],
        target,
        isShare: metric === 'accuracy',
        format: text,
      })}<figcaption>${title} on the test examples</figcaption></figure>
      <figure>${lineChart({
        description: `Loss after each of ${groupedCount(tested.length, 'round')}, at last ${lossText(last.loss)}`,
        lines: losses,
        span: [0, 0],
        format: lossText,
      })}<figcaption>Loss ${losses.length > 1 ? legend(losses.map(({ name = '' }) => name)) : 'on the test examples'}</figcaption></figure>
    </div>
    ${target !== undefined && html`<p class="note">${reached === undefined ? `No round reached the target of ${text(target)}.` : `The target of ${text(target)} was reached in round ${reached}.`}</p>`}
    <details><summary>Round by round</summary>${metricsTable(tested, metric)}</details>
  </section>`;
}

const finite = (value: number) => (Number.isFinite(value) ? value : null);

/** On the test examples, and on those that the clients trained with. */
function lossLines(tested: readonly TestedRound[]): readonly ChartLine[] {
  const training = tested.map(({ round, reported }) => ({ round, value: trainingLoss(reported) }));
  const test = {
    name: 'on the test examples',
    points: tested.map(({ round, loss }) => ({ round, value: loss })),
  };
  if (training.every(({ value }) => value === null)) return [test];
  return [test, { name: "in training, each client's last epoch", points: training }];
}

/** Mean over the examples of all clients; null where one has none that is finite. */
function trainingLoss(reported: RoundRecord['reported']): number | null {
  const examples = sum(reported, (each) => each.examples);
  if (examples === 0 || reported.some(({ loss }) => loss === null)) return null;
  return sum(reported, (each) => (each.loss ?? 0) * each.examples) / examples;
}

/** All that was found after each round. */
function metricsTable(tested: readonly TestedRound[], metric: string): Html {
  const others = [...new Set(tested.flatMap(({ metrics = {} }) => Object.keys(metrics)))].filter(
    (name) => name !== metric,
  );
  const column = (name: string): FigureColumn<TestedRound> => {
    const value = (test: TestedRound) => finite(metricIn(test, name));
    return {
      title: name,
      by: value,
      cell: (test) => textOr(value(test), (found) => metricText(name, found)),
    };
  };
  const before = new Map(tested.map((test, at) => [test.round, tested[at - 1]]));
  const change = (test: TestedRound) => {
    const earlier = before.get(test.round);
    return earlier === undefined ? null : finite(metricIn(test, metric) - metricIn(earlier, metric));
  };
  return figuresTable(tested, {
    title: 'All metrics round by round',
    columns: [
      { title: 'round', cell: ({ round }) => round },
      column(metric),
      { title: 'change', by: change, cell: (test) => textOr(change(test), (by) => changeText(metric, by)) },
      ...others.map(column),
      ...(metric === 'loss'
        ? []
        : [{ title: 'loss', by: lossOf, cell: (test: TestedRound) => lossText(test.loss) }]),
      {
        title: 'training loss',
        by: ({ reported }) => trainingLoss(reported),
        cell: ({ reported }) => textOr(trainingLoss(reported), lossText),
      },
    ],
  });
}

const lossOf = ({ loss }: TestedRound) => loss;

const textOr = (value: number | null, text: (value: number) => string) =>
  value === null ? undefined : text(value);

const changeText = (metric: string, change: number) =>
  `${change < 0 ? '−' : '+'}${metric === 'accuracy' ? (Math.abs(change) * 100).toFixed(2) : metricText(metric, Math.abs(change))}`;

/** One round, or rounds that hardly differ, are no reason to magnify the fourth digit. */
function around(accuracy: number): readonly [number, number] {
  return [Math.max(0, accuracy - LEAST_SPAN / 2), Math.min(1, accuracy + LEAST_SPAN / 2)];
}
