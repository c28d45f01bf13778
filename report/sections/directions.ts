/** How far the clients' updates went from the global model, and how well they agree with their mean. */
import { extent, group, mean } from 'd3-array';
import { describeOdd, type OddUpdate, oddUpdates } from '../../lib/federation/odd-updates.js';
import type { ClientRecord } from '../../lib/formats/run-record.js';
import { type Html, html } from '../../lib/html/html.js';
import { type ChartLine, legend, lineChart } from '../charts/line-chart.js';
import { groupedCount } from '../format.js';
import type { RunRecords } from '../records.js';

/** More clients are counted, not listed. */
const MOST_ODD = 10;
/** Of more clients the least, the mean and the greatest are drawn. */
const MOST_LINES = 10;

type Measured = (client: ClientRecord) => number | undefined;

/** Two charts; nothing where no round has measured its updates. */
export function directions({ rounds }: RunRecords): Html | undefined {
  const norms = linesOf(rounds, ({ norm }) => norm);
  const cosines = linesOf(rounds, ({ cosine }) => cosine);
  if (norms.length === 0) return undefined;
  const odd = rounds.flatMap(({ round, reported }) =>
    oddUpdates(reported).map((each) => ({ ...each, round })),
  );
  const chart = (lines: readonly ChartLine[], title: string) =>
    lines.length > 0 &&
    html`<figure>${lineChart({
      description: `${title}, over ${groupedCount(rounds.length, 'round')}`,
      ...{ lines, format: short },
    })}<figcaption>${title}${legend(lines.map(({ name = '' }) => name))}</figcaption></figure>`;
  return html`<section class="card">
    <h2>How far the updates went, and whether they agree</h2>
    <div class="pair">${chart(norms, 'Distance of each update from the global model (Euclidean norm)')}${chart(cosines, 'Cosine to the mean update: 1 points the same way, below 0 back')}</div>
    ${odd.length > 0 && oddList(odd, rounds.length)}
  </section>`;
}

/** A line for each client that had an update unlike the others of its round, those with the most of them first. */
function oddList(odd: readonly (OddUpdate & { readonly round: number })[], rounds: number): Html {
  const clients = [...group(odd, ({ client }) => client).values()].sort((a, b) => b.length - a.length);
  const lines = clients.slice(0, MOST_ODD).map((each) => {
    const last = each.at(-1) as (typeof odd)[number];
    return html`<li>in ${each.length} of ${groupedCount(rounds, 'round')}, last in round ${last.round}: ${describeOdd(last)}</li>`;
  });
  const others = clients.length - lines.length;
  return html`<h3>Updates unlike the others of their round</h3>
    <ul>${lines}${others > 0 && html`<li>and ${groupedCount(others, 'client')} more</li>`}</ul>
    <p class="note">By the modified z-score of norm and cosine, which a few odd ones among many do not move. The client may be broken or hostile, or have data of another kind.</p>`;
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
