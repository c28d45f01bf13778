/** How the examples lie with the clients: labels and sizes of the shards. */
import { max, mean } from 'd3-array';
import { clientsOf, type Manifest } from '../../lib/formats/manifest.js';
import { labelCountsOf } from '../../lib/formats/manifest-clients.js';
import { type Html, html } from '../../lib/html/html.js';
import { labelColumns } from '../charts/label-columns.js';
import { labelPicture, shareScale } from '../charts/label-picture.js';
import { groupedCount, partitionText, percent, spread } from '../format.js';
import { factRows } from '../frame.js';
import type { RunRecords } from '../records.js';

/** Schemes whose shards differ in labels by chance alone. */
const ALIKE_IN_LABELS: readonly string[] = ['iid', 'strided', 'quantity-skew'];

/** The picture and its figures; nothing before the split. */
export function shards({ manifest }: RunRecords): Html | undefined {
  if (manifest === undefined) return undefined;
  const { classes } = manifest;
  const clients = clientsOf(manifest);
  const sizes = clients.map(({ examples }) => examples);
  const counts = clients.map(labelCountsOf);
  const heldOut = clients.flatMap(({ heldOut: held }) => (held === undefined ? [] : [held.examples]));
  const labelsHeld = counts.map(({ length }) => length);
  const largestShare = mean(
    clients,
    ({ examples }, at) => (max(counts[at] ?? [], ([, each]) => each) ?? 0) / examples,
  );
  const facts: readonly (readonly [string, string])[] = [
    ['partition', partitionText(manifest.partition)],
    ['examples of a client', spread(sizes)],
    ...(classes === undefined
      ? []
      : ([
          ['labels of a client', spread(labelsHeld)],
          ["a client's most frequent label", `${percent(largestShare ?? 0, 1)} of its examples on average`],
        ] as const)),
    ...targetFacts(manifest),
    ['held out for testing', groupedCount(manifest.test.examples, 'example')],
    ...(heldOut.length === 0 ? [] : [['held out of a client', spread(heldOut)] as const]),
  ];
  const labels = classes === undefined ? '' : `${spread(labelsHeld)} labels and `;
  const description = `Shards of ${groupedCount(sizes.length, 'client')}: ${labels}${spread(sizes)} examples each`;
  const isAlike = classes === undefined || ALIKE_IN_LABELS.includes(manifest.partition.scheme);
  const picture = labelColumns(clients, { classes: classes ?? 0, order: isAlike ? 'size' : 'label' });
  return html`<section class="card">
    <h2>The clients' data</h2>
    ${factRows(facts)}
    <figure>${labelPicture(picture, description)}<figcaption>${classes === undefined ? 'Bars: examples of each client.' : html`Bars: examples. Below, a row for each label: the stronger its colour, the larger its share. ${shareScale(picture)}`}</figcaption></figure>
  </section>`;
}

/** What is to be answered, where that is numbers. */
function targetFacts({ targets, target }: Manifest): readonly (readonly [string, string])[] {
  const { mean: means = [], variance = [], least = [], most = [] } = targets?.statistics ?? {};
  const [only, ...others] = means;
  if (only === undefined || others.length > 0) return [];
  const short = (value = 0) => Number(value.toPrecision(4)).toLocaleString('en');
  const deviation = Math.sqrt(variance[0] ?? 0);
  return [
    [
      target?.column ?? 'targets',
      `${short(only)} ± ${short(deviation)}, ${short(least[0])} to ${short(most[0])}${target?.unit === undefined ? '' : ` ${target.unit}`}`,
    ],
  ];
}
