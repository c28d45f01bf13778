/** How far the clients' updates went from the global model, and how well they agree with their mean. */
import { extent, mean } from 'd3-array';
import type { ClientRecord } from '../../lib/formats/run-record.js';
import { type Html, html } from '../../lib/html/html.js';
import { type ChartLine, legend, lineChart } from '../charts/line-chart.js';
import { groupedCount } from '../format.js';
import type { RunRecords } from '../records.js';

/** Of more clients the least, the mean and the greatest are drawn. */
const MOST_LINES = 10;

type Measured = (client: ClientRecord) => number | undefined;

/** Two charts; nothing where no round has measured its updates. */
export function directions({ rounds }: RunRecords): Html | undefined {
  const norms = linesOf(rounds, ({ norm }) => norm);
  const cosines = linesOf(rounds, ({ cosine }) => cosine);
  if (norms.length === 0) return undefined;
  const chart = (lines: readonly ChartLine[], title: string) =>
    lines.length > 0 &&
    html`<figure>${lineChart({
      description: `${title}, over ${groupedCount(rounds.length, 'round')}`,
      ...{ lines, format: short },
    })}<figcaption>${title}${legend(lines.map(({ name = '' }) => name))}</figcaption></figure>`;
  return html`<section class="card">
    <h2>How far the updates went, and whether they agree</h2>
    <div class="pair">${chart(norms, 'Distance of each update from the global model (Euclidean norm)')}${chart(cosines, 'Cosine to the mean update: 1 points the same way, below 0 back')}</div>
  </section>`;
}

const short = (value: number) => value.toPrecision(3);

/** A line for each client, or of many the least, the mean and the greatest; none where nothing is measured. */
function linesOf(rounds: RunRecords['rounds'], measured: Measured): readonly ChartLine[] {
  const values = rounds.flatMap(({ round, reported }) =>
    reported.flatMap((each) => {
      const value = measured(each);
      return value === undefined ? [] : [{ round, client: each.client, value }];
    }),
  );
  const clients = [...new Set(values.map(({ client }) => client))].sort((a, b) => a - b);
  if (clients.length <= MOST_LINES) {
    return clients.map((client) => ({
      name: `client ${client}`,
      points: values.filter((each) => each.client === client),
    }));
  }
  const of = (name: string, figure: (found: readonly number[]) => number | undefined): ChartLine => ({
    name,
    points: rounds.map(({ round, reported }) => {
      const found = reported.flatMap((each) => measured(each) ?? []);
      return { round, value: figure(found) ?? null };
    }),
  });
  return [
    of('mean', mean),
    of('least', (found) => extent(found)[0]),
    of('greatest', (found) => extent(found)[1]),
  ];
}
