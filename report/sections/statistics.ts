/** What the inputs' numbers and categories are like, over all clients. */
import { featureNames } from '../../lib/formats/keras/data-names.js';
import type { Manifest } from '../../lib/formats/manifest.js';
import { type Html, html } from '../../lib/html/html.js';
import { coordinate, grouped } from '../format.js';
import type { RunRecords } from '../records.js';
import { figuresTable } from '../table.js';

/** Categories of an input; a page shows no more. */
const MOST_CATEGORIES = 20;

type Input = NonNullable<Manifest['inputs']>[number];
type Histogram = NonNullable<NonNullable<NonNullable<Input['statistics']>['histograms']>[number]>;

/** The table of numbers and the lists of categories; nothing where the manifest tells of none. */
export function statistics({ manifest }: RunRecords): Html | undefined {
  const { inputs = [], targets, target, minClientsPerStatistic = 1 } = manifest ?? {};
  const rows = [
    ...inputs.flatMap(rowsOf),
    ...rowsOf({ name: `${target?.column ?? 'targets'} (to be answered)`, statistics: targets?.statistics }),
  ];
  const categories = inputs.filter(({ counts, categories: names }) => counts && names);
  if (rows.length === 0 && categories.length === 0) return undefined;
  const hasHistograms = [...inputs, ...(targets === undefined ? [] : [targets])].some(
    (each) => each.statistics?.histograms,
  );
  const titles = [
    ...['numbers', 'mean', 'deviation', 'least', 'greatest'],
    ...(hasHistograms ? ['from least to greatest'] : []),
  ];
  const bounds =
    minClientsPerStatistic === 1
      ? ''
      : ` Least and greatest are values that ${minClientsPerStatistic} clients reach, and categories of fewer clients count as none.`;
  return html`<section class="card">
    <h2>The inputs</h2>
    ${
      rows.length > 0 &&
      figuresTable(rows, {
        title: 'Numbers of the inputs',
        more: 'in manifest.json',
        columns: titles.map((title, at) => ({
          title,
          cell: (row) => row[at],
        })),
      })
    }
    ${categories.map(categoryList)}
    <p class="note">Of the training examples, merged of sums and counts that each client tells of its own.${bounds}</p>
  </section>`;
}

function rowsOf(
  input: Pick<Input, 'name' | 'columns' | 'statistics'>,
): readonly (readonly [name: string, ...cells: (string | Html | undefined)[]])[] {
  const { statistics: found } = input;
  if (found === undefined) return [];
  return featureNames(input, found.mean.length).map((name, at) => {
    const deviation = Math.sqrt(found.variance[at] as number);
    const numbers = [found.mean[at], deviation, found.least[at], found.most[at]] as readonly number[];
    const drawn = found.histograms?.[at];
    return [
      name,
      ...numbers.map(shortNumber),
      ...(found.histograms === undefined ? [] : [drawn ? histogram(drawn) : undefined]),
    ];
  });
}

/** Bars as wide as their bins, and as high as their values lie close. */
function histogram({ edges, counts }: Histogram): Html {
  const [least = 0, most = 0] = [edges[0], edges.at(-1)];
  const placeOf = (edge = 0) => (most > least ? ((edge - least) / (most - least)) * 100 : 0);
  const bars = counts.map((count, at) => {
    const from = placeOf(edges[at]);
    const width = (most > least ? placeOf(edges[at + 1]) : 100) - from;
    return { from, width, density: width > 0 ? count / width : 0 };
  });
  const densest = Math.max(...bars.map(({ density }) => density));
  const fullest = counts.indexOf(Math.max(...counts));
  const label = `${grouped(counts.reduce((sum, count) => sum + count, 0))} values, most of them, ${grouped(counts[fullest] ?? 0)}, from ${shortNumber(edges[fullest])} to ${shortNumber(edges[fullest + 1])}`;
  return html`<svg class="histogram" viewBox="0 0 100 20" preserveAspectRatio="none" role="img" aria-label="${label}"><title>${label}</title>${bars.map(({ from, width, density }) => html`<rect class="bar-fill" x="${coordinate(from)}" y="${coordinate(20 - (20 * density) / densest)}" width="${coordinate(width)}" height="${coordinate((20 * density) / densest)}"/>`)}</svg>`;
}

const shortNumber = (value = 0) => `${Number(value.toPrecision(5))}`;

function categoryList({ name, categories = [], counts = [] }: Input): Html {
  const found = categories.map((each, at) => ({ name: each, count: counts[at + 1] }));
  const shown = found.sort((a, b) => (b.count ?? 0) - (a.count ?? 0)).slice(0, MOST_CATEGORIES);
  const rest = found.length - shown.length;
  return html`<h3>${name}</h3><p>${shown.map((each) => `${each.name} ${typeof each.count === 'number' ? grouped(each.count) : '(withheld)'}`).join(', ')}${rest > 0 && ` and ${grouped(rest)} more`}${(counts[0] ?? 0) > 0 && `; none of them ${grouped(counts[0] as number)}`}</p>`;
}
