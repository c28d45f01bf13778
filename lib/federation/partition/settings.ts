/** The registry of partition schemes: their names, their parameters, and how a run's settings hold them. */

/** The schemes, in the order in which help shows them, each in a few words. */
export const PARTITION_SCHEMES = {
  iid: 'shuffled and dealt',
  strided: 'every K-th example in file order',
  pathological: 'sorted by label, a few pieces each',
  dirichlet: 'shares of each label drawn for every client',
  'quantity-skew': 'shuffled, shards of different sizes',
  'label-skew': 'a few labels each',
  'power-law': 'a few labels each, shards of very different sizes',
  'by-key': 'an array of the data says whose each example is',
  given: 'a directory of shards that are split already',
} as const satisfies Readonly<Record<string, string>>;

/** Name of a partition scheme. */
export type PartitionSchemeName = keyof typeof PARTITION_SCHEMES;

/** All names. */
export const partitionSchemeNames = Object.keys(PARTITION_SCHEMES) as readonly PartitionSchemeName[];

/** A scheme with its parameters, and what holds for all. */
export type PartitionSettings = (
  | { readonly scheme: 'iid' | 'strided' | 'given' }
  | { readonly scheme: 'pathological'; readonly piecesPerClient: number }
  | { readonly scheme: 'dirichlet' | 'quantity-skew'; readonly alpha: number }
  | { readonly scheme: 'label-skew'; readonly labelsPerClient: number }
  | { readonly scheme: 'power-law'; readonly labelsPerClient: number; readonly sigma: number }
  | { readonly scheme: 'by-key'; readonly key: string }
) & {
  /** Each client gets at least so many examples. */
  readonly minExamples: number;
};

/** A parameter of partition schemes: its bounds, and the value that it has where none is given. */
export interface PartitionParameter {
  readonly schemes: readonly PartitionSchemeName[];
  /** One sentence. */
  readonly help: string;
  /** Stands for its value in help. */
  readonly symbol: string;
  /** Whole numbers from 1, numbers above 0, or a name. */
  readonly kind: 'whole' | 'positive' | 'name';
  readonly default?: number;
  /** Its name in reports, where its own says too little there. */
  readonly reportName?: string;
}

/** Each parameter. Defaults: two pieces of the paper's 200; the α and the number of labels of niid_bench; FedProx's σ. */
export const PARTITION_PARAMETERS = {
  piecesPerClient: {
    schemes: ['pathological'],
    help: 'pieces of label-sorted examples for each client',
    symbol: 'count',
    kind: 'whole',
    default: 2,
  },
  alpha: {
    schemes: ['dirichlet', 'quantity-skew'],
    help: 'concentration of the Dirichlet distribution: the smaller, the more the clients differ',
    symbol: 'alpha',
    kind: 'positive',
    default: 0.5,
    reportName: 'α of the partition',
  },
  labelsPerClient: {
    schemes: ['label-skew', 'power-law'],
    help: 'labels that each client holds',
    symbol: 'count',
    kind: 'whole',
    default: 2,
  },
  sigma: {
    schemes: ['power-law'],
    help: 'sigma of log-normal shard sizes: the larger, the more they differ',
    symbol: 'sigma',
    kind: 'positive',
    default: 2,
    reportName: 'σ of the partition',
  },
  key: {
    schemes: ['by-key'],
    help: 'name of the array in an npz, or of the column of a table, that says whose each example is',
    symbol: 'array',
    kind: 'name',
  },
} as const satisfies Readonly<Record<string, PartitionParameter>>;

/** Whether the number of clients follows from the data. */
export function clientsFollowFromData({ scheme }: Pick<PartitionSettings, 'scheme'>): boolean {
  return scheme === 'by-key' || scheme === 'given';
}

/** Share of the examples that is held out for testing unless the user says otherwise. */
export const DEFAULT_TEST_FRACTION = 0.1;
