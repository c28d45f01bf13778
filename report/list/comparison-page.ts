/** Runs side by side as a page: their curves in one picture, what sets them apart, what came of each. */
import { greatest } from 'd3-array';
import { leadingFigure, metricIn, scoreOfFigure, type TestFigures } from '../../lib/federation/metrics.js';
import { writeFileAtomic } from '../../lib/formats/files/atomic-file.js';
import { type Html, html } from '../../lib/html/html.js';
import { formatDuration } from '../../lib/observability/format.js';
import { type ChartLine, legend, lineChart } from '../charts/line-chart.js';
import { grouped, groupedCount, lossText, metricText } from '../format.js';
import { type HeadFigure, page } from '../frame.js';
import { nameOfSetting } from '../setting-rows.js';
import { figuresTable } from '../table.js';
import { type ComparedRun, compareRuns, readComparedRun } from './compare-runs.js';

/** More curves in one picture could not be told apart: those of the best runs are drawn. */
const MOST_CURVES = 16;
/** Of so few runs settings are rows; of more, which a sweep has, they are columns. */
const MOST_COLUMNS = 6;
/** Settings that a title of a run has room for. */
const MOST_IN_TITLE = 3;

/** A run on the page. */
interface ShownRun {
  readonly title: string;
  readonly run: ComparedRun;
  /** Of the metric that leads, after its last test; undefined before the first. */
  readonly value: number | undefined;
  readonly tests: readonly (TestFigures & { readonly round: number })[];
}

/** The document; `words` are what the runs were called by. */
function renderComparison(listed: readonly ComparedRun[], words: readonly string[]): string {
  const comparison = compareRuns(listed);
  const tests = listed.map(testsOf);
  const first = tests.find((each) => each.length > 0)?.at(-1);
  const metric = first === undefined ? 'loss' : leadingFigure(first).metric;
  const titles = titlesOf(listed, comparison.settings);
  const runs = listed.map((run, at): ShownRun => {
    const last = tests[at]?.at(-1);
    const value = last === undefined ? Number.NaN : metricIn(last, metric);
    return {
      ...{ run, title: titles[at] ?? '', tests: tests[at] ?? [] },
      value: Number.isFinite(value) ? value : undefined,
    };
  });
  const best = bestFirst(runs, metric);
  return page({
    command: 'report',
    title: words.join(', '),
    headline: headlineOf(best, metric),
    lead: `${groupedCount(runs.length, 'run')} side by side`,
    figures: figuresOf(best, metric),
    main: [
      curves(best, metric),
      differences(runs, comparison.settings),
      results(runs, { metric, settings: comparison.settings }),
    ],
    foot: html`Made by fedbatch from the records on the volumes of these runs.`,
  });
}

type Settings = ReturnType<typeof compareRuns>['settings'];

const testsOf = ({ records }: ComparedRun) =>
  records.rounds.flatMap(({ round, evaluation }) => (evaluation ? [{ round, ...evaluation }] : []));

/** By their names; else by the settings that set them apart, where these are few; else by where they lie. */
function titlesOf(runs: readonly ComparedRun[], settings: Settings): readonly string[] {
  const isShort = settings.length > 0 && settings.length <= MOST_IN_TITLE;
  const titles = runs.map(({ row }, at) => {
    if (row.name !== undefined) return row.name;
    if (!isShort) return row.id;
    return settings
      .map(({ place, values }) => `${nameOfSetting(place)} ${values[at] ?? 'not given'}`)
      .join(', ');
  });
  return titles.map((title, at) =>
    titles.filter((each) => each === title).length > 1 ? (runs[at]?.row.volume ?? title) : title,
  );
}

function bestFirst(runs: readonly ShownRun[], metric: string): readonly ShownRun[] {
  const score = ({ value = Number.NaN }: ShownRun) => scoreOfFigure({ metric, value });
  return runs.toSorted((a, b) => (score(a) === score(b) ? 0 : score(b) - score(a)));
}

function headlineOf([best, second]: readonly ShownRun[], metric: string): string | undefined {
  if (best?.value === undefined) return undefined;
  const text = (value: number) => metricText(metric, value);
  const what = `${best.title} has the best ${metric}, ${text(best.value)}`;
  return second?.value === undefined
    ? `${what}.`
    : `${what}; the next is ${second.title} with ${text(second.value)}.`;
}

function figuresOf(best: readonly ShownRun[], metric: string): readonly HeadFigure[] {
  const [first] = best;
  const last = best.findLast(({ value }) => value !== undefined);
  const figure = (name: string, run: ShownRun | undefined): readonly HeadFigure[] =>
    run?.value === undefined ? [] : [[name, metricText(metric, run.value), run.title]];
  return [
    ...figure(`best ${metric}`, first),
    ...(last === first ? [] : figure(`worst ${metric}`, last)),
    ['runs', grouped(best.length)],
  ];
}

/** The metric and the loss of all runs over the rounds; nothing where none was tested. */
function curves(best: readonly ShownRun[], metric: string): Html | undefined {
  const drawn = best.filter(({ tests }) => tests.length > 0).slice(0, MOST_CURVES);
  if (drawn.length === 0) return undefined;
  const chart = (name: string) => {
    const lines = drawn.map(
      ({ title, tests }): ChartLine => ({
        name: title,
        points: tests.map((test) => {
          const value = metricIn(test, name);
          return { round: test.round, value: Number.isFinite(value) ? value : null };
        }),
      }),
    );
    return lineChart({
      description: `${name} of ${groupedCount(lines.length, 'run')} over the rounds`,
      ...{ lines, isShare: name === 'accuracy' },
      format: (value) => (name === 'loss' ? lossText(value) : metricText(name, value)),
    });
  };
  const hidden = best.length - drawn.length;
  return html`<section class="card">
    <h2>Over the rounds</h2>
    <p class="note">${legend(drawn.map(({ title }) => title))}</p>
    <div class="pair">
      <figure>${chart(metric)}<figcaption>${metric[0]?.toUpperCase()}${metric.slice(1)} on the test examples</figcaption></figure>
      ${metric !== 'loss' && html`<figure>${chart('loss')}<figcaption>Loss on the test examples</figcaption></figure>`}
    </div>
    ${hidden > 0 && html`<p class="note">and ${groupedCount(hidden, 'other run')}, which came to less or were not tested</p>`}
  </section>`;
}

/** A row for each setting that the runs have not alike. */
function differences(runs: readonly ShownRun[], settings: Settings): Html | undefined {
  if (settings.length === 0)
    return html`<section class="card"><h2>What differs</h2><p>Their settings are the same.</p></section>`;
  if (runs.length > MOST_COLUMNS) return undefined;
  return html`<section class="card">
    <h2>What differs</h2>
    ${figuresTable(settings, {
      title: 'Settings in which the runs differ',
      columns: [
        { title: 'setting', cell: ({ place }) => nameOfSetting(place) },
        ...runs.map(({ title }, at) => ({
          title,
          cell: ({ values }: Settings[number]) => `${values[at] ?? '–'}`,
        })),
      ],
    })}
  </section>`;
}

/** A row for each run. */
function results(
  runs: readonly ShownRun[],
  { metric, settings }: { readonly metric: string; readonly settings: Settings },
): Html {
  const isWide = runs.length > MOST_COLUMNS;
  const rows = runs.map((each, at) => ({ ...each, at }));
  type Row = (typeof rows)[number];
  const seconds = ({ run }: Row) =>
    run.records.rounds.reduce(
      (sum, round) => sum + Object.values(round.seconds ?? {}).reduce((all, each) => all + each, 0),
      0,
    );
  const peak = ({ tests }: Row) => greatest(tests, (test) => scoreOfFigure(figureIn(test)));
  const figureIn = (test: TestFigures) => ({ metric, value: metricIn(test, metric) });
  return html`<section class="card">
    <h2>What came of each</h2>
    ${figuresTable(rows, {
      title: 'What came of each run',
      more: 'on their volumes',
      columns: [
        { title: 'run', cell: ({ title }) => title },
        ...(isWide
          ? settings.map(({ place, values }) => ({
              title: nameOfSetting(place),
              cell: ({ at }: Row) => `${values[at] ?? '–'}`,
            }))
          : []),
        {
          title: metric,
          by: ({ value }) => value,
          cell: ({ value }) => (value === undefined ? undefined : metricText(metric, value)),
        },
        ...(metric === 'loss'
          ? []
          : [
              {
                title: 'loss',
                by: ({ tests }: Row) => tests.at(-1)?.loss,
                cell: ({ tests }: Row) => textOf(tests.at(-1)),
              },
            ]),
        {
          title: 'best',
          by: (row) => textNumber(peak(row), metric),
          cell: (row) => peakText(peak(row), metric),
        },
        { title: 'rounds', cell: ({ run: { row } }) => row.rounds },
        { title: 'time', by: seconds, cell: (row) => formatDuration(seconds(row)) },
        { title: 'state', cell: ({ run: { row } }) => row.state },
        { title: 'volume', cell: ({ run: { row } }) => row.volume },
      ],
    })}
  </section>`;
}

const textOf = (test: TestFigures | undefined) => (test === undefined ? undefined : lossText(test.loss));
const textNumber = (test: TestFigures | undefined, metric: string) =>
  test === undefined ? undefined : metricIn(test, metric);
const peakText = (test: (TestFigures & { readonly round: number }) | undefined, metric: string) =>
  test === undefined ? undefined : `${metricText(metric, metricIn(test, metric))} in round ${test.round}`;

/** Writes the page of the runs on these volumes; the result is how many rounds it tells of. @throws {DataError} where one is none, or damaged */
export async function writeComparison(
  volumes: readonly string[],
  { file, words }: { readonly file: string; readonly words: readonly string[] },
): Promise<number> {
  const runs: ComparedRun[] = [];
  for (const volume of volumes) runs.push(await readComparedRun(volume));
  await writeFileAtomic(file, renderComparison(runs, words));
  return runs.reduce((sum, { records }) => sum + records.rounds.length, 0);
}
