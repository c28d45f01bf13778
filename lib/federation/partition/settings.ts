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
export interface PartitionParameters {
  readonly alpha?: number | undefined;
  readonly piecesPerClient?: number | undefined;
  readonly labelsPerClient?: number | undefined;
  readonly key?: string | undefined;
}

/** Each parameter: its flag, and the schemes that take it. */
export const PARAMETERS = {
  piecesPerClient: { flag: '--pieces-per-client', schemes: ['pathological'] },
  alpha: { flag: '--alpha', schemes: ['dirichlet', 'quantity-skew'] },
  labelsPerClient: { flag: '--labels-per-client', schemes: ['label-skew'] },
  key: { flag: '--key', schemes: ['by-key'] },
} as const satisfies Readonly<
  Record<keyof PartitionParameters, { readonly flag: string; readonly schemes: readonly string[] }>
>;

/** Two pieces of the paper's 200; the α and the number of labels of niid_bench. */
export const DEFAULT_PARAMETERS = { piecesPerClient: 2, alpha: 0.5, labelsPerClient: 2 } as const;

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
  const { piecesPerClient, alpha, labelsPerClient } = { ...DEFAULT_PARAMETERS, ...defined(given) };
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

function refuseForeign(scheme: PartitionSchemeName, given: PartitionParameters): void {
  for (const [name, { flag, schemes }] of Object.entries(PARAMETERS)) {
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
