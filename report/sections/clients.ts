/** How it is for each client: the models on what every client holds out, over the rounds and client by client. */
import { extent, max } from 'd3-array';
import { targetOf } from '../../lib/federation/early-stop.js';
import { leadingFigure, metricIn, reaches, type TestFigures } from '../../lib/federation/metrics.js';
import type { AccuracyRecord } from '../../lib/formats/accuracy-record.js';
import { clientsOf } from '../../lib/formats/manifest.js';
import type { RoundRecord } from '../../lib/formats/run-record.js';
import { type Html, html } from '../../lib/html/html.js';
import { lineChart } from '../charts/line-chart.js';
import { grouped, groupedCount, metricText, shortPercent } from '../format.js';
import type { RunRecords } from '../records.js';
import { barTable, figuresTable } from '../table.js';

/** Of more clients the worst are shown. */
const MOST_BARS = 20;

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
      lines: [{ points: course(figure) }],
      span: [low, high],
      isShare: metric === 'accuracy',
      format: (value) => metricText(metric, value),
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
  return figuresTable(rows, {
    title: 'How figures spread over the clients',
    columns: [
      { title: 'model', cell: ({ title }) => title },
      { title: 'clients', cell: ({ clients: number }) => grouped(number) },
      { title: 'mean', by: ({ mean }) => mean, cell: ({ mean }) => text(mean) },
      { title: 'weighted by examples', cell: ({ weightedMean }) => text(weightedMean) },
      { title: 'standard deviation', cell: ({ deviation }) => text(deviation) },
      { title: 'worst tenth', cell: ({ worstDecile }) => text(worstDecile) },
    ],
  });
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
  return figuresTable(tests, {
    title: 'What each client holds out',
    more: 'in accuracy.json',
    columns: [
      {
        title: 'client',
        by: ({ client }) => client,
        cell: ({ client }) => `${client}${owners[client] === undefined ? '' : ` (${owners[client]})`}`,
      },
      { title: 'held-out examples', cell: ({ examples }) => grouped(examples) },
      { title: 'before', cell: ({ client }) => text(trained.get(client)?.before) },
      { title: 'after local training', cell: ({ client }) => text(trained.get(client)?.after) },
      { title: 'new global model', cell: (each) => text(each) },
    ],
  });
}

/** The worst first; clients that lack the metric at the end. */
const byMetric = (metric: string) => (a: ClientRow, b: ClientRow) => {
  const [left, right] = [metricIn(a, metric), metricIn(b, metric)];
  if (left === right || (Number.isNaN(left) && Number.isNaN(right))) return a.client - b.client;
  if (Number.isNaN(left) || Number.isNaN(right)) return Number.isNaN(left) ? 1 : -1;
  return reaches(left, { metric, value: right }) ? 1 : -1;
};
