/** The report of a run that is repeated with several seeds: means with their spread, over the rounds and at the end. */
import { targetOf } from '../lib/federation/early-stop.js';
import type { Figure, RepeatedRun } from '../lib/formats/repeated-run.js';
import { type Html, html } from '../lib/html/html.js';
import { roundTo } from '../lib/observability/format.js';
import { lineChart } from './charts/line-chart.js';
import { groupedCount, metricText, shortHash, shortPercent } from './format.js';
import { leadOf } from './sections/overview.js';
import { settingRows } from './setting-rows.js';
import { factRows, type HeadFigure, page } from './style.js';

/** The document. */
export function renderRepeatedRun(record: RepeatedRun): string {
  const { id, versions, runs, figures } = record;
  const metric = leadingIn(record);
  const found = figures[placeOf(metric)];
  const result: readonly HeadFigure[] =
    found === undefined
      ? []
      : [
          [
            metric,
            metricText(metric, found.mean),
            `± ${metricText(metric, found.sd ?? 0)} (standard deviation)`,
          ],
        ];
  const [first, last] = [runs[0], runs.at(-1)];
  return page({
    command: 'run --seeds',
    title: id,
    lead: leadOf(record),
    figures: [...result, ['runs', `${runs.length}`, `seeds ${first?.seed ?? ''} to ${last?.seed ?? ''}`]],
    main: [
      course(record, metric),
      resultsOf(record),
      seedsOf(record, metric),
      html`<section class="card">
    <h2>The run</h2>
    ${factRows(settingRows(record))}
  </section>`,
    ],
    foot: html`Made by fedbatch ${versions.fedbatch} from seeds.json of this volume; each run has a report of its own.`,
  });
}

/** The metric of the target, else the accuracy where there is one, else the first that was found. */
function leadingIn({ settings, figures }: RepeatedRun): string {
  const asked = targetOf(settings.federation)?.metric;
  if (asked !== undefined) return asked;
  const names = Object.keys(figures).flatMap((place) =>
    place.startsWith('metrics.') ? [place.slice('metrics.'.length)] : [],
  );
  return figures.accuracy === undefined ? (names[0] ?? 'loss') : 'accuracy';
}

/** Where a run's result has a metric. */
const placeOf = (metric: string) =>
  metric === 'accuracy' || metric === 'loss' ? metric : `metrics.${metric}`;

/** Means after each round, their standard deviation as a band. */
function course({ course: rounds }: RepeatedRun, metric: string): Html {
  const chart = (place: string, format: (value: number) => string) => {
    const points = rounds.map(({ round, figures }) => {
      const { mean = null, sd } = figures[place] ?? {};
      return { round, value: mean, spread: sd ?? 0 };
    });
    return lineChart({
      description: `Mean ${place} after each of ${groupedCount(points.length, 'round')}`,
      ...{ points, format, span: [0, 0] },
    });
  };
  const short = (value: number) => String(Number(value.toPrecision(3)));
  return html`<section class="card">
    <h2>Over the rounds</h2>
    <div class="pair">
      <figure>${chart(placeOf(metric), metric === 'accuracy' ? shortPercent : short)}<figcaption>Mean ${metric} on the test examples, ± one standard deviation</figcaption></figure>
      <figure>${chart('loss', short)}<figcaption>Mean loss on the test examples, ± one standard deviation</figcaption></figure>
    </div>
  </section>`;
}

function resultsOf({ figures }: RepeatedRun): Html {
  const row = ([place, { mean, sd, least, most, runs }]: readonly [string, Figure]) =>
    html`<tr><th scope="row">${place}</th><td>${text(mean)} ± ${text(sd ?? 0)}</td><td>${text(least)}</td><td>${text(most)}</td><td>${runs}</td></tr>`;
  return html`<section class="card">
    <h2>What the runs came to</h2>
    <details open><summary>Mean ± standard deviation</summary>
    <table><thead><tr><th scope="col">figure</th><th scope="col">mean ± sd</th><th scope="col">least</th><th scope="col">most</th><th scope="col">runs</th></tr></thead>
    <tbody>${Object.entries(figures).map(row)}</tbody></table></details>
  </section>`;
}

function seedsOf({ runs }: RepeatedRun, metric: string): Html {
  const value = (run: RepeatedRun['runs'][number]) =>
    (metric === 'loss' ? run.loss : run.metrics?.[metric]) ?? run.accuracy;
  const row = (run: RepeatedRun['runs'][number]) =>
    html`<tr><th scope="row">${run.seed}</th><td>${textOr(value(run))}</td><td>${run.rounds}</td><td>${run.best.round}</td><td><code title="${run.sha256}">${shortHash(run.sha256)}</code></td></tr>`;
  return html`<section class="card">
    <h2>Each seed</h2>
    <details open><summary>seeds/&lt;seed&gt; holds its run, with a report of its own</summary>
    <table><thead><tr><th scope="col">seed</th><th scope="col">${metric}</th><th scope="col">rounds</th><th scope="col">best round</th><th scope="col">sha256 of the model</th></tr></thead>
    <tbody>${runs.map(row)}</tbody></table></details>
  </section>`;
}

const text = (value: number) => `${roundTo(value, 4)}`;
const textOr = (value: number | undefined) => (value === undefined ? '' : text(value));
