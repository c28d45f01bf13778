/** From the shards' label histograms to the columns of a picture: one for each client, or for a group of alike ones. */
import { maxIndex, mean, sum } from 'd3-array';
import { type ClientExamples, labelCountsOf } from '../../lib/formats/manifest-clients.js';

/** What the picture shows. */
export interface LabelColumns {
  readonly columns: readonly LabelColumn[];
  /** Names of the rows: a label each, or a range of labels. */
  readonly rows: readonly string[];
  /** What stands below the columns. */
  readonly axis: string;
}

/** A client, or a group of clients. */
interface LabelColumn {
  readonly name: string;
  /** Short, for the axis. */
  readonly tick: string;
  /** Of the client; of a group the mean. */
  readonly examples: number;
  /** For each row, the share of the column's examples that have its label. */
  readonly shares: readonly number[];
}

/** More columns, or rows, could not be told apart on a small screen. */
const MOST_COLUMNS = 60;
const MOST_ROWS = 40;

/** What is shown of a shard. */
type ShownShard = Pick<ClientExamples, 'examples' | 'labelHistogram' | 'labelCounts' | 'owner'>;

/**
 * The columns of `shards`. Of many clients, neighbours in the order of what sets them apart, their most frequent label
 * or their size, share a column: a mean over any clients would hide it.
 */
export function labelColumns(
  shards: readonly ShownShard[],
  { classes, order }: { readonly classes: number; readonly order: 'label' | 'size' },
): LabelColumns {
  const { rows, sharesOf } = labelRows(classes);
  const clients = shards.map((shard, client) => ({ ...shard, client, shares: sharesOf(shard) }));
  if (clients.length <= MOST_COLUMNS) {
    const columns = clients.map(({ owner, client, examples, shares }) => ({
      name: owner === undefined ? `client ${client}` : `client ${client} (${owner})`,
      tick: `${client}`,
      examples,
      shares,
    }));
    return { columns, rows, axis: 'client' };
  }
  const sorted =
    order === 'size'
      ? clients.toSorted((a, b) => b.examples - a.examples)
      : clients.toSorted(
          (a, b) => maxIndex(a.shares) - maxIndex(b.shares) || center(a.shares) - center(b.shares),
        );
  const start = (column: number) => Math.floor((column * sorted.length) / MOST_COLUMNS);
  const columns = Array.from({ length: MOST_COLUMNS }, (_, column) => {
    const group = sorted.slice(start(column), start(column + 1));
    return {
      name: `${group.length} clients`,
      tick: '',
      examples: mean(group, ({ examples }) => examples) ?? 0,
      shares: rows.map((_, row) => mean(group, ({ shares }) => shares[row]) ?? 0),
    };
  });
  const perColumn = Math.round(sorted.length / MOST_COLUMNS);
  const by = order === 'size' ? 'size' : 'their most frequent label';
  return { columns, rows, axis: `clients, about ${perColumn} to a column, ordered by ${by}` };
}

/** A row for each label, or for a few neighbouring ones. */
function labelRows(labels: number) {
  const perRow = Math.max(1, Math.ceil(labels / MOST_ROWS));
  const starts = Array.from({ length: Math.ceil(labels / perRow) }, (_, row) => row * perRow);
  return {
    rows: starts.map((from) => (perRow === 1 ? `${from}` : `${from}–${Math.min(labels, from + perRow) - 1}`)),
    sharesOf(shard: ShownShard) {
      const shares = starts.map(() => 0);
      for (const [label, count] of labelCountsOf(shard)) {
        const row = Math.floor(label / perRow);
        shares[row] = (shares[row] as number) + count / shard.examples;
      }
      return shares;
    },
  };
}

/** Where in the order of labels a shard has its weight. */
function center(shares: readonly number[]): number {
  return sum(shares, (share, row) => share * row);
}
