/** How the examples lie with the clients: labels and sizes of the shards. */
import { max, mean } from 'd3-array';
import { clientsOf } from '../../lib/formats/manifest.js';
import { labelCountsOf } from '../../lib/formats/manifest-clients.js';
import { type Html, html } from '../../lib/html/html.js';
import { labelColumns } from '../charts/label-columns.js';
import { labelPicture } from '../charts/label-picture.js';
import { groupedCount, partitionText, percent, spread } from '../format.js';
import type { RunRecords } from '../records.js';
import { factRows } from '../style.js';

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
    ['held out for testing', groupedCount(manifest.test.examples, 'example')],
    ...(heldOut.length === 0 ? [] : [['held out of a client', spread(heldOut)] as const]),
  ];
  const description = `Labels of the shards of ${groupedCount(sizes.length, 'client')}: ${spread(labelsHeld)} labels and ${spread(sizes)} examples each`;
  const order = ALIKE_IN_LABELS.includes(manifest.partition.scheme) ? 'size' : 'label';
  return html`<section class="card">
    <h2>The clients' data</h2>
    ${factRows(facts)}
    ${classes !== undefined && html`<figure>${labelPicture(labelColumns(clients, { classes, order }), description)}<figcaption>Bars: examples. Below, a row for each label: the stronger its colour, the larger its share of the client's examples.</figcaption></figure>`}
  </section>`;
}
