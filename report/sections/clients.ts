/** How it is for each client: the models on what every client holds out, over the rounds and client by client. */
import { extent, max } from 'd3-array';
import { targetOf } from '../../lib/federation/early-stop.js';
import { leadingFigure, metricIn, reaches, type TestFigures } from '../../lib/federation/metrics.js';
import type { AccuracyRecord } from '../../lib/formats/accuracy-record.js';
import { clientsOf } from '../../lib/formats/manifest.js';
import type { RoundRecord } from '../../lib/formats/run-record.js';
import { type Html, html } from '../../lib/html/html.js';
import { barTable } from '../charts/bar-table.js';
import { lineChart } from '../charts/line-chart.js';
import { axisText, grouped, groupedCount, metricText, shortPercent } from '../format.js';
import type { RunRecords } from '../records.js';

/** Of more clients the worst are shown. */
const MOST_BARS = 20;
const MOST_ROWS = 200;

type Across = NonNullable<AccuracyRecord['acrossClients']>;
type ClientRow = NonNullable<AccuracyRecord['perClient']>[number];

/** A round whose global model was tested on what clients hold out. */
type TestedRound = Omit<RoundRecord, 'evaluation'> & {
  readonly evaluation: NonNullable<RoundRecord['evaluation']>;
  readonly across: Across;
};

/** Charts, figures and a row for each client; nothing where clients hold nothing out. */
export function clients(records: RunRecords): Html | undefined {
  const { run, rounds, accuracy, manifest } = records;
  const tested = rounds.flatMap(({ evaluation, ...round }): TestedRound[] => {
    const across = evaluation?.acrossClients;
    return evaluation === undefined || across === undefined ? [] : [{ ...round, evaluation, across }];
  });
  const last = tested.at(-1);
  if (last === undefined) return undefined;
  const { metric } = leadingFigure(last.evaluation, targetOf(run.settings.federation));
  const course = (figure: 'mean' | 'worstDecile') =>
    tested.map(({ round, across }) => ({ round, value: across[metric]?.[figure] ?? null }));
  // The same axis for both, so that the gap between them is seen.
  const [low = 0, high = 1] = extent(
    [...course('mean'), ...course('worstDecile')],
    ({ value }) => value ?? undefined,
  );
  const chart = (figure: 'mean' | 'worstDecile', title: string) =>
    html`<figure>${lineChart({
      description: `${title} of ${metric} after each of ${groupedCount(tested.length, 'round')}`,
      points: course(figure),
      span: [low, high],
      format: axisText(metric),
    })}<figcaption>${title}: ${metric} of the global model on what each client holds out</figcaption></figure>`;
  const { clientHoldout = 0 } = manifest ?? {};
  return html`<section class="card">
    <h2>How it is for each client</h2>
    <p>Each client holds ${shortPercent(clientHoldout)} of its examples out; models are tested on them client by client.</p>
    <div class="pair">${chart('mean', 'Mean over the clients')}${chart('worstDecile', 'Mean over the worst tenth of the clients')}</div>
    <h3>${metric} in round ${last.round}</h3>
    ${spreadTable(last, metric)}
    ${accuracy?.perClient !== undefined && perClient(manifest, { metric, last, tests: accuracy.perClient })}
  </section>`;
}

/** A row for each model: what clients started the last round from, what each of them made of it, what came of all. */
function spreadTable({ acrossClients, across: newest }: TestedRound, metric: string): Html {
  const { before, after } = acrossClients ?? {};
  const models: readonly (readonly [string, Across | undefined])[] = [
    ['global model before', before],
    ['after local training, each its own', after],
    ['new global model, all clients', newest],
  ];
  const text = (value: number) => metricText(metric, value);
  const rows = models.flatMap(([title, across]) => {
    const spread = across?.[metric];
    return spread === undefined ? [] : [{ title, ...spread }];
  });
  return html`<div class="scroll"><table class="figures-table">
    <thead><tr><th scope="col">model</th><th scope="col">clients</th><th scope="col">mean</th><th scope="col">weighted by examples</th><th scope="col">standard deviation</th><th scope="col">worst tenth</th></tr></thead>
    <tbody>${rows.map((row) => html`<tr><th scope="row">${row.title}</th><td>${grouped(row.clients)}</td><td>${text(row.mean)}</td><td>${text(row.weightedMean)}</td><td>${text(row.deviation)}</td><td>${text(row.worstDecile)}</td></tr>`)}</tbody>
  </table></div>`;
}

interface Tests {
  readonly metric: string;
  readonly last: TestedRound;
  readonly tests: readonly ClientRow[];
}

/** Bars of the worst clients, and what every client has. */
function perClient(manifest: RunRecords['manifest'], { metric, last, tests }: Tests): Html {
  const worstFirst = tests.toSorted(byMetric(metric));
  const values = worstFirst.map((each) => ({ each, value: metricIn(each, metric) }));
  const most = Math.max(max(values, ({ value }) => value) ?? 0, metric === 'accuracy' ? 1 : 1e-9);
  const shown = values.filter(({ value }) => Number.isFinite(value)).slice(0, MOST_BARS);
  return html`<h3>${tests.length > MOST_BARS ? `The worst ${MOST_BARS} of ${grouped(tests.length)} clients` : 'Each client, the worst first'}</h3>
    ${barTable(
      shown.map(({ each, value }) => ({
        name: each.client,
        share: Math.max(0, value) / most,
        value: metricText(metric, value),
        note: `of ${groupedCount(each.examples, 'example')}`,
      })),
    )}
    <details><summary>Client by client</summary>${table(manifest, { metric, last, tests: worstFirst })}</details>`;
}

function table(manifest: RunRecords['manifest'], { metric, last, tests }: Tests): Html {
  const owners = (manifest ? clientsOf(manifest) : []).map(({ owner }) => owner);
  const trained = new Map(last.reported.map(({ client, heldOut }) => [client, heldOut]));
  const text = (figures: TestFigures | undefined) => {
    const value = figures === undefined ? Number.NaN : metricIn(figures, metric);
    return Number.isFinite(value) ? metricText(metric, value) : undefined;
  };
  return html`<div class="scroll"><table>
    <thead><tr><th scope="col">client</th><th scope="col">held-out examples</th><th scope="col">before</th><th scope="col">after local training</th><th scope="col">new global model</th></tr></thead>
    <tbody>${tests.slice(0, MOST_ROWS).map((each) => html`<tr><th scope="row">${each.client}${owners[each.client] !== undefined && ` (${owners[each.client]})`}</th><td>${grouped(each.examples)}</td><td>${text(trained.get(each.client)?.before)}</td><td>${text(trained.get(each.client)?.after)}</td><td>${text(each)}</td></tr>`)}</tbody>
  </table></div>
  ${tests.length > MOST_ROWS && html`<p class="note">and ${groupedCount(tests.length - MOST_ROWS, 'client')} more, in accuracy.json</p>`}`;
}

/** The worst first; clients that lack the metric at the end. */
const byMetric = (metric: string) => (a: ClientRow, b: ClientRow) => {
  const [left, right] = [metricIn(a, metric), metricIn(b, metric)];
  if (left === right || (Number.isNaN(left) && Number.isNaN(right))) return a.client - b.client;
  if (Number.isNaN(left) || Number.isNaN(right)) return Number.isNaN(left) ? 1 : -1;
  return reaches(left, { metric, value: right }) ? 1 : -1;
};
