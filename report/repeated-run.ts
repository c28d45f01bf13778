/** The report of a run that is repeated with several seeds: means with their spread, over the rounds and at the end. */
import { targetOf } from '../lib/federation/early-stop.js';
import type { RepeatedRun } from '../lib/formats/repeated-run.js';
import { type Html, html } from '../lib/html/html.js';
import { roundTo } from '../lib/observability/format.js';
import { lineChart } from './charts/line-chart.js';
import { groupedCount, metricText, shortHash } from './format.js';
import { factRows, type HeadFigure, page } from './frame.js';
import { leadOf } from './sections/overview.js';
import { settingRows } from './setting-rows.js';
import { figuresTable } from './table.js';

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
  const chart = (place: string) => {
    const points = rounds.map(({ round, figures }) => {
      const { mean = null, sd } = figures[place] ?? {};
      return { round, value: mean, spread: sd ?? 0 };
    });
    return lineChart({
      description: `Mean ${place} after each of ${groupedCount(points.length, 'round')}`,
      ...{ lines: [{ points }], isShare: place === 'accuracy', span: [0, 0] },
      format: (value) => metricText(place, value),
    });
  };
  return html`<section class="card">
    <h2>Over the rounds</h2>
    <div class="pair">
      <figure>${chart(placeOf(metric))}<figcaption>Mean ${metric} on the test examples, ± one standard deviation</figcaption></figure>
      <figure>${chart('loss')}<figcaption>Mean loss on the test examples, ± one standard deviation</figcaption></figure>
    </div>
  </section>`;
}

function resultsOf({ figures }: RepeatedRun): Html {
  return html`<section class="card">
    <h2>What the runs came to</h2>
    ${figuresTable(Object.entries(figures), {
      title: 'Mean and standard deviation of each figure',
      more: 'in seeds.json',
      columns: [
        { title: 'figure', cell: ([place]) => place },
        {
          title: 'mean ± sd',
          by: ([, { mean }]) => mean,
          cell: ([, { mean, sd }]) => `${text(mean)} ± ${text(sd ?? 0)}`,
        },
        { title: 'least', cell: ([, { least }]) => text(least) },
        { title: 'most', cell: ([, { most }]) => text(most) },
        { title: 'runs', cell: ([, { runs }]) => runs },
      ],
    })}
  </section>`;
}

function seedsOf({ runs }: RepeatedRun, metric: string): Html {
  const value = (run: RepeatedRun['runs'][number]) =>
    (metric === 'loss' ? run.loss : run.metrics?.[metric]) ?? run.accuracy;
  return html`<section class="card">
    <h2>Each seed</h2>
    <p class="note">seeds/&lt;seed&gt; holds its run, with a report of its own.</p>
    ${figuresTable(runs, {
      title: 'Each seed',
      more: 'in seeds.json',
      columns: [
        { title: 'seed', cell: ({ seed }) => seed },
        { title: metric, by: value, cell: (run) => textOr(value(run)) },
        { title: 'rounds', cell: ({ rounds }) => rounds },
        { title: 'best round', cell: ({ best }) => best.round },
        {
          title: 'sha256 of the model',
          cell: ({ sha256 }) => html`<code title="${sha256}">${shortHash(sha256)}</code>`,
        },
      ],
    })}
  </section>`;
}

const text = (value: number) => `${roundTo(value, 4)}`;
const textOr = (value: number | undefined) => (value === undefined ? '' : text(value));
