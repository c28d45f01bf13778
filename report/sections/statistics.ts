/** What the inputs' numbers and categories are like, over all clients. */
import { featureNames } from '../../lib/formats/keras/data-names.js';
import type { Manifest } from '../../lib/formats/manifest.js';
import { type Html, html } from '../../lib/html/html.js';
import { grouped, groupedCount } from '../format.js';
import type { RunRecords } from '../records.js';

/** Rows of the table, and categories of an input; a page shows no more. */
const MOST_ROWS = 100;
const MOST_CATEGORIES = 20;

type Input = NonNullable<Manifest['inputs']>[number];

/** The table of numbers and the lists of categories; nothing where the manifest tells of none. */
export function statistics({ manifest }: RunRecords): Html | undefined {
  const { inputs = [], targets, target, minClientsPerStatistic = 1 } = manifest ?? {};
  const rows = [
    ...inputs.flatMap(rowsOf),
    ...rowsOf({ name: `${target?.column ?? 'targets'} (to be answered)`, statistics: targets?.statistics }),
  ];
  const categories = inputs.filter(({ counts, categories: names }) => counts && names);
  if (rows.length === 0 && categories.length === 0) return undefined;
  const bounds =
    minClientsPerStatistic === 1
      ? ''
      : ` Least and greatest are values that ${minClientsPerStatistic} clients reach, and categories of fewer clients count as none.`;
  return html`<section class="card">
    <h2>The inputs</h2>
    ${
      rows.length > 0 &&
      html`<div class="scroll"><table class="bars"><thead><tr>${['numbers', 'mean', 'deviation', 'least', 'greatest'].map((title) => html`<th scope="col">${title}</th>`)}</tr></thead>
    <tbody>${rows.slice(0, MOST_ROWS).map(([name, ...cells]) => html`<tr><th scope="row">${name}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody></table></div>`
    }
    ${rows.length > MOST_ROWS && html`<p class="note">and ${groupedCount(rows.length - MOST_ROWS, 'other number')}</p>`}
    ${categories.map(categoryList)}
    <p class="note">Of the training examples, merged of sums and counts that each client tells of its own.${bounds}</p>
  </section>`;
}

function rowsOf(input: Pick<Input, 'name' | 'columns' | 'statistics'>): readonly (readonly string[])[] {
  const { statistics: found } = input;
  if (found === undefined) return [];
  return featureNames(input, found.mean.length).map((name, at) => {
    const deviation = Math.sqrt(found.variance[at] as number);
    const numbers = [found.mean[at], deviation, found.least[at], found.most[at]] as readonly number[];
    return [name, ...numbers.map((value) => `${Number(value.toPrecision(5))}`)];
  });
}

function categoryList({ name, categories = [], counts = [] }: Input): Html {
  const found = categories.map((each, at) => ({ name: each, count: counts[at + 1] ?? 0 }));
  const shown = found.sort((a, b) => b.count - a.count).slice(0, MOST_CATEGORIES);
  const rest = found.length - shown.length;
  return html`<h3>${name}</h3><p>${shown.map((each) => `${each.name} ${grouped(each.count)}`).join(', ')}${rest > 0 && ` and ${grouped(rest)} more`}${(counts[0] ?? 0) > 0 && `; none of them ${grouped(counts[0] as number)}`}</p>`;
}
