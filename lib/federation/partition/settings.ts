/** What a user says about a partition: the scheme, its parameters, and which of them make no sense. */
import { UsageError } from '../../core/errors.js';

/** The schemes, in the order in which help shows them, each in a few words. */
export const PARTITION_SCHEMES = {
  iid: 'shuffled and dealt',
  strided: 'every K-th example in file order',
  pathological: 'sorted by label, a few pieces each',
  dirichlet: 'shares of each label drawn for every client',
  'quantity-skew': 'shuffled, shards of different sizes',
  'label-skew': 'a few labels each',
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
  | { readonly scheme: 'by-key'; readonly key: string }
) & {
  /** Each client gets at least so many examples. */
  readonly minExamples: number;
};

/** The parameters of all schemes: what a user gives, before it is known whether they go together. */
interface PartitionParameters {
  readonly alpha?: number | undefined;
  readonly piecesPerClient?: number | undefined;
  readonly labelsPerClient?: number | undefined;
  readonly key?: string | undefined;
}

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
}

/** Each parameter. Defaults: two pieces of the paper's 200; the α and the number of labels of niid_bench. */
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
    help: 'the smaller, the more the clients differ',
    symbol: 'alpha',
    kind: 'positive',
    default: 0.5,
  },
  labelsPerClient: {
    schemes: ['label-skew'],
    help: 'labels that each client holds',
    symbol: 'count',
    kind: 'whole',
    default: 2,
  },
  key: {
    schemes: ['by-key'],
    help: 'name of the array in the npz that says whose each example is',
    symbol: 'array',
    kind: 'name',
  },
} as const satisfies Readonly<Record<string, PartitionParameter>>;

/** Whether the number of clients follows from the data. */
export function clientsFollowFromData({ scheme }: Pick<PartitionSettings, 'scheme'>): boolean {
  return scheme === 'by-key' || scheme === 'given';
}

/**
 * The settings of a scheme, defaults filled in.
 *
 * @throws {UsageError} for a parameter of another scheme, a missing one, or one out of its range
 */
export function partitionSettings(
  scheme: PartitionSchemeName,
  given: PartitionParameters & { readonly minExamples?: number | undefined } = {},
): PartitionSettings {
  refuseForeign(scheme, given);
  const { piecesPerClient, alpha, labelsPerClient } = { ...defaults, ...defined(given) };
  const minExamples = wholeNumber('--min-examples', given.minExamples ?? 1);
  switch (scheme) {
    case 'pathological':
      return { scheme, piecesPerClient: wholeNumber('--pieces-per-client', piecesPerClient), minExamples };
    case 'dirichlet':
    case 'quantity-skew':
      if (Number.isFinite(alpha) && alpha > 0) return { scheme, alpha, minExamples };
      throw new UsageError(`Expected --alpha to be a number above 0, found ${alpha}.`);
    case 'label-skew':
      return { scheme, labelsPerClient: wholeNumber('--labels-per-client', labelsPerClient), minExamples };
    case 'by-key':
      if (given.key !== undefined) return { scheme, key: given.key, minExamples };
      throw new UsageError(
        '--partition by-key needs --key, the name of the array that says whose each example is.',
      );
    default:
      return { scheme, minExamples };
  }
}

const { piecesPerClient, alpha, labelsPerClient } = PARTITION_PARAMETERS;
const defaults = {
  piecesPerClient: piecesPerClient.default as number,
  alpha: alpha.default as number,
  labelsPerClient: labelsPerClient.default as number,
};

/** `minExamples` → `--min-examples`. */
const flagOfParameter = (name: string) =>
  `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

function refuseForeign(scheme: PartitionSchemeName, given: PartitionParameters): void {
  for (const [name, { schemes }] of Object.entries(PARTITION_PARAMETERS)) {
    const flag = flagOfParameter(name);
    const isOwn = (schemes as readonly string[]).includes(scheme);
    const value = given[name as keyof PartitionParameters];
    if (value === undefined || isOwn) continue;
    throw new UsageError(
      `${flag} ${value} belongs to --partition ${schemes.join(' or ')}, not to ${scheme}.`,
    );
  }
}

function wholeNumber(flag: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new UsageError(`Expected ${flag} to be a whole number of at least 1, found ${value}.`);
}

function defined(
  given: PartitionParameters,
): Partial<Record<'piecesPerClient' | 'alpha' | 'labelsPerClient', number>> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
