/** Client by client: its own model alone beside the average, its loss, examples and seconds, how often it was there, late, or refused. */
import { deviation, extent, max, mean, median, sum } from 'd3-array';
import { targetOf } from '../../lib/federation/early-stop.js';
import { leadingFigure, metricIn } from '../../lib/federation/metrics.js';
import { oddUpdates } from '../../lib/federation/odd-updates.js';
import { clientsOf } from '../../lib/formats/manifest.js';
import type { ClientRecord } from '../../lib/formats/run-record.js';
import { type Html, html } from '../../lib/html/html.js';
import { formatSeconds } from '../../lib/observability/format.js';
import { type ChartLine, legend, lineChart } from '../charts/line-chart.js';
import { grouped, groupedCount, lossText, metricText } from '../format.js';
import type { RunRecords } from '../records.js';
import { barTable, figuresTable } from '../table.js';

/** A client is a straggler of a round in which it takes so many times as long as half of the clients. */
const STRAGGLING = 1.5;
/** Of more clients their lines could not be told apart: the mean is drawn, with its spread. */
const MOST_LINES = 10;

/** The table of more clients is shown when it is asked for. */
const MOST_SHOWN = 20;

/** All that a run says of one client. */
interface ClientCourse {
  readonly client: number;
  readonly owner: string | undefined;
  readonly reports: readonly Report[];
  readonly selected: number;
  readonly rejected: number;
  readonly missing: number;
}

interface Report extends ClientRecord {
  readonly round: number;
  readonly straggles: boolean;
  /** Whether its update was unlike the others of its round. */
  readonly isOdd: boolean;
}

/** Charts and the table; nothing before a client has reported. */
export function clientTable(records: RunRecords): Html | undefined {
  const courses = coursesOf(records);
  if (courses.every(({ reports }) => reports.length === 0)) return undefined;
  return html`<section class="card">
    <h2>Client by client</h2>
    <div class="pair">${lossChart(courses)}${aloneBars(records, courses)}</div>
    <details${courses.length <= MOST_SHOWN && html` open`}><summary>All figures of each client</summary>${table(records, courses)}</details>
  </section>`;
}

function coursesOf({ rounds, manifest }: RunRecords): readonly ClientCourse[] {
  const owners = manifest === undefined ? [] : clientsOf(manifest);
  const courses = new Map<
    number,
    { -readonly [K in keyof ClientCourse]: ClientCourse[K] } & { reports: Report[] }
  >();
  const courseOf = (client: number) => {
    const found = courses.get(client) ?? {
      ...{ client, owner: owners[client]?.owner, reports: [], selected: 0, rejected: 0, missing: 0 },
    };
    courses.set(client, found);
    return found;
  };
  for (const { round, selected, reported, rejected, missing } of rounds) {
    const middle = median(reported, ({ seconds }) => seconds) ?? 0;
    for (const client of selected) courseOf(client).selected++;
    const odd = new Set(oddUpdates(reported).map(({ client }) => client));
    for (const each of reported) {
      const straggles = each.seconds > STRAGGLING * middle;
      courseOf(each.client).reports.push({ ...each, round, straggles, isOdd: odd.has(each.client) });
    }
    for (const each of rejected) if ('client' in each) courseOf(each.client).rejected++;
    for (const { client } of missing) courseOf(client).missing++;
  }
  return [...courses.values()].sort((a, b) => a.client - b.client);
}

/** The training loss of each client over the rounds; of many clients their mean; nothing where none is finite. */
function lossChart(courses: readonly ClientCourse[]): Html | undefined {
  if (courses.every(({ reports }) => reports.every(({ loss }) => loss === null))) return undefined;
  const lines = courses.length > MOST_LINES ? [meanLoss(courses)] : courses.map(lossLine);
  const rounds = new Set(courses.flatMap(({ reports }) => reports.map(({ round }) => round))).size;
  return html`<figure>${lineChart({
    description: `Training loss of ${groupedCount(courses.length, 'client')} in ${groupedCount(rounds, 'round')}`,
    ...{ lines, span: [0, 0], format: lossText },
  })}<figcaption>${lines.length === courses.length ? html`Loss of the last epoch in training ${courses.length > 1 && legend(lines.map(({ name = '' }) => name))}` : 'Mean loss of the last epoch in training, ± one standard deviation over the clients'}</figcaption></figure>`;
}

const lossLine = ({ client, reports }: ClientCourse): ChartLine => ({
  name: `client ${client}`,
  points: reports.map(({ round, loss }) => ({ round, value: loss })),
});

function meanLoss(courses: readonly ClientCourse[]): ChartLine {
  const losses = new Map<number, number[]>();
  for (const { reports } of courses)
    for (const { round, loss } of reports)
      if (loss !== null) losses.set(round, [...(losses.get(round) ?? []), loss]);
  const points = [...losses]
    .sort(([a], [b]) => a - b)
    .map(([round, values]) => ({ round, value: mean(values) ?? null, spread: deviation(values) ?? 0 }));
  return { points };
}

/** What clients' own models of the last round come to alone, beside the average of them. */
function aloneBars({ run, rounds }: RunRecords, courses: readonly ClientCourse[]): Html | undefined {
  const test = rounds.findLast(({ evaluation }) => evaluation)?.evaluation;
  if (test === undefined) return undefined;
  const { metric, value: average } = leadingFigure(test, targetOf(run.settings.federation));
  const alone = courses.flatMap(({ client, reports }) => {
    const found = reports.findLast((each) => each.alone)?.alone;
    const value = found === undefined ? Number.NaN : metricIn(found, metric);
    return Number.isFinite(value) ? [{ client, value }] : [];
  });
  if (alone.length === 0) return undefined;
  const most = Math.max(average, max(alone, ({ value }) => value) ?? 0, metric === 'accuracy' ? 1 : 1e-9);
  const [low = 0, high = 0] = extent(alone, ({ value }) => value);
  const text = (value: number) => metricText(metric, value);
  const row = (name: string, value: number) => ({
    name,
    value: text(value),
    share: Math.max(0, value) / most,
  });
  return html`<div>
    ${barTable([...alone.map(({ client, value }) => row(`client ${client}`, value)), row('average', average)])}
    <p class="note">${metric} on the test examples of each client's own model alone, ${text(low)}${low !== high && ` to ${text(high)}`}, and of the average of them.</p>
  </div>`;
}

function table({ run, rounds }: RunRecords, courses: readonly ClientCourse[]): Html {
  const test = rounds.findLast(({ evaluation }) => evaluation)?.evaluation;
  const { metric } =
    test === undefined ? { metric: 'loss' } : leadingFigure(test, targetOf(run.settings.federation));
  const last = ({ reports }: ClientCourse) => reports.at(-1);
  const alone = ({ reports }: ClientCourse) => {
    const found = reports.findLast((each) => each.alone)?.alone;
    return found === undefined ? undefined : metricIn(found, metric);
  };
  const average = test && metricIn(test, metric);
  const seconds = ({ reports }: ClientCourse) => mean(reports, (each) => each.seconds);
  const straggled = ({ reports }: ClientCourse) => sum(reports, (each) => Number(each.straggles));
  const unlike = ({ reports }: ClientCourse) => sum(reports, (each) => Number(each.isOdd));
  const hasAny = (count: (course: ClientCourse) => number) => courses.some((course) => count(course) > 0);
  const counted = (title: string, count: (course: ClientCourse) => number) => ({
    title,
    cell: (course: ClientCourse) => (hasAny(count) ? grouped(count(course)) : undefined),
  });
  const averaged = (title: string, of: (report: Report) => number | undefined) => ({
    title,
    by: ({ reports }: ClientCourse) => mean(reports, of),
    cell: ({ reports }: ClientCourse) => mean(reports, of)?.toPrecision(3),
  });
  return html`${figuresTable(courses, {
    title: 'All figures of each client',
    more: 'in rounds/*/round.json',
    columns: [
      {
        title: 'client',
        by: ({ client }) => client,
        cell: ({ client, owner }) => (owner === undefined ? `${client}` : `${client} (${owner})`),
      },
      {
        title: `${metric} alone`,
        by: alone,
        cell: (course) => textOr(alone(course), (value) => metricText(metric, value)),
      },
      {
        title: 'of the average',
        cell: (course) =>
          alone(course) === undefined ? undefined : textOr(average, (value) => metricText(metric, value)),
      },
      {
        title: 'training loss',
        by: (course) => last(course)?.loss,
        cell: (course) => textOr(last(course)?.loss, lossText),
      },
      { title: 'examples', cell: (course) => textOr(last(course)?.examples, grouped) },
      {
        title: 'rounds',
        by: ({ reports }) => reports.length,
        cell: ({ reports, selected }) => `${grouped(reports.length)} of ${grouped(selected)}`,
      },
      { title: 'seconds a round', by: seconds, cell: (course) => textOr(seconds(course), formatSeconds) },
      counted('straggled', straggled),
      counted('unlike the others', unlike),
      counted('rejected', ({ rejected }) => rejected),
      counted('missing', ({ missing }) => missing),
      averaged('norm', ({ norm }) => norm),
      averaged('cosine', ({ cosine }) => cosine),
    ],
  })}
  ${hasAny(straggled) && html`<p class="note">Straggled: rounds in which a client took more than ${STRAGGLING} times as long as half of the clients.</p>`}`;
}

function textOr(value: number | null | undefined, text: (value: number) => string): string | undefined {
  return value === undefined || value === null || Number.isNaN(value) ? undefined : text(value);
}
