/** How examples are dealt to clients: the partition schemes behind one pure function from labels to indices, and a whole dataset dealt. */
import { UsageError } from '../../core/errors.js';
import { permutation, type RandomStream, randomStream } from '../../core/random.js';
import { byOwner, type Ownership } from './by-owner.js';
import { deal, identity } from './dealing.js';
import { dirichlet, quantitySkew } from './dirichlet.js';
import { holdOut } from './hold-out.js';
import { labelSkew, pathological, powerLaw } from './label-skew.js';
import { clientsFollowFromData, type PartitionSettings, partitionSchemeNames } from './settings.js';

/** What to deal by, to how many, and with which chance. */
export type PartitionOptions = PartitionSettings & {
  /** Number of clients K, at least 1. */
  readonly clients: number;
  readonly seed: number;
  /** Whose each example is; needed by the schemes `by-key` and `given`. */
  readonly ownership?: Ownership | undefined;
};

/** A draw that leaves a client with too few examples is made again, so often at most. */
const MAX_DRAWS = 100;

/**
 * Deals examples 0 … n-1, whose classes are `labels`, to clients: element k holds the indices of client k's shard.
 * Every index appears exactly once over all shards, and every shard has `minExamples` indices or more: where chance
 * decides the sizes, a draw that does not come to that is made again, up to 100 times.
 *
 * @throws {UsageError} when the settings and the examples do not go together, with the numbers.
 */
export function partition(labels: ArrayLike<number>, options: PartitionOptions): readonly Uint32Array[] {
  refuseTooFew(labels.length, options);
  const { scheme, seed } = options;
  const draws =
    scheme === 'dirichlet' || scheme === 'label-skew' || scheme === 'pathological' ? MAX_DRAWS : 1;
  let best = { client: 0, examples: -1 };
  for (let draw = 0; draw < draws; draw++) {
    const random = randomStream(seed, 'partition', scheme, ...(draw === 0 ? [] : [draw]));
    const shards = dealBy(labels, options, random);
    const least = smallest(shards);
    if (least.examples >= options.minExamples) return shards;
    if (least.examples > best.examples) best = least;
  }
  throw new UsageError(tooFewMessage(options, { ...best, draws, total: labels.length }));
}

function dealBy(
  labels: ArrayLike<number>,
  options: PartitionOptions,
  random: RandomStream,
): readonly Uint32Array[] {
  const { clients, ownership } = options;
  switch (options.scheme) {
    case 'iid':
      return iid(labels, { clients, random });
    case 'strided':
      return strided(labels, { clients });
    case 'pathological':
      return pathological(labels, { ...options, random });
    case 'dirichlet':
      return dirichlet(labels, { ...options, random });
    case 'quantity-skew':
      return quantitySkew(labels, { ...options, random });
    case 'label-skew':
      return labelSkew(labels, { ...options, random });
    case 'power-law':
      return powerLaw(labels, { ...options, random });
    case 'by-key':
    case 'given':
      return byOwner(labels, { clients, ownership });
  }
}

function refuseTooFew(examples: number, { clients, minExamples }: PartitionOptions): void {
  if (!Number.isSafeInteger(clients) || clients < 1) {
    throw new UsageError(`Expected at least 1 client to deal examples to, found ${clients}.`);
  }
  const most = Math.floor(examples / minExamples);
  if (clients <= most) return;
  const each = minExamples === 1 ? 'one each' : `at least ${minExamples} each`;
  throw new UsageError(
    `Expected at most ${most} clients for ${examples} training examples (${each}), found ${clients}.`,
  );
}

interface Least {
  readonly client: number;
  readonly examples: number;
}

function smallest(shards: readonly Uint32Array[]): Least {
  return shards.reduce<Least>(
    (least, { length }, client) => (length < least.examples ? { client, examples: length } : least),
    { client: 0, examples: Number.POSITIVE_INFINITY },
  );
}

function tooFewMessage(
  options: PartitionOptions,
  { client, examples, draws, total }: Least & { readonly draws: number; readonly total: number },
): string {
  const { scheme, clients, minExamples, ownership } = options;
  const wanted = `each client is to have at least ${minExamples}`;
  if (clientsFollowFromData(options)) {
    const name = ownership?.names[client];
    return `Client ${client} (${name}) has ${examples} training examples, but ${wanted}.`;
  }
  const parameter = 'alpha' in options ? ` with alpha ${options.alpha}` : '';
  const remedies = [
    ...(minExamples > 1 ? ['lower that minimum'] : []),
    'take fewer clients',
    ...(parameter === '' ? [] : ['raise alpha']),
  ];
  return (
    `The partition scheme ${scheme}${parameter} left one of ${clients} clients with at most ${examples} of ` +
    `${total} training examples in each of ${draws} draws, but ${wanted}: ${remedies.join(', or ')}.`
  );
}

/** Shuffled, then dealt one by one: every shard looks like the whole (the IID split of McMahan et al. 2017). */
export function iid(
  labels: ArrayLike<number>,
  { clients, random }: { readonly clients: number; readonly random: RandomStream },
): readonly Uint32Array[] {
  return deal(permutation(labels.length, random), clients);
}

/** Client k takes examples k, k + K, k + 2K, … in the order of the file: `[rank::size]`, no randomness. */
export function strided(
  labels: ArrayLike<number>,
  { clients }: { readonly clients: number },
): readonly Uint32Array[] {
  return deal(identity(labels.length), clients);
}

/** What to deal by; `ownership` says whose each example is, those that are held out included. */
type DealOptions = PartitionOptions & {
  /** Share of the examples to hold out, between 0 and 1; undefined where the dataset brings test examples. */
  readonly testFraction: number | undefined;
};

/** Indices into the dataset's training examples; together every one of them exactly once. */
interface Deal {
  /** Element k holds client k's. */
  readonly shards: readonly Uint32Array[];
  /** Those held out, ascending; empty where the dataset brings test examples. */
  readonly held: Uint32Array;
}

/** Schemes that deal by labels. */
const BY_LABELS: readonly PartitionSettings['scheme'][] = [
  'pathological',
  'dirichlet',
  'label-skew',
  'power-law',
];

/** What is dealt: the labels of examples or, where targets are no labels, how many examples there are. */
type Dealt = Int32Array | { readonly length: number };

/**
 * Deals examples.
 *
 * @throws {UsageError} when the settings and the examples do not go together, with the numbers
 */
export function dealDataset(examples: Dealt, options: DealOptions): Deal {
  const { testFraction, seed, ownership, scheme } = options;
  const isLabelled = examples instanceof Int32Array;
  if (!isLabelled && BY_LABELS.includes(scheme)) {
    const others = partitionSchemeNames.filter((name) => !BY_LABELS.includes(name));
    throw new UsageError(
      `The partition scheme ${scheme} deals by labels, and the targets of these data are none: choose one of ${others.join(', ')}.`,
    );
  }
  if (testFraction === undefined)
    return { shards: partition(examples as ArrayLike<number>, options), held: new Uint32Array(0) };
  const { test, kept, take, renumber } = holdOut(examples.length, testFraction, seed);
  const owned = ownership && { ...ownership, owners: take(ownership.owners) };
  // Others look at nothing but how many there are.
  const dealt =
    isLabelled && BY_LABELS.includes(scheme) ? take(examples) : ({ length: kept } as ArrayLike<number>);
  const shards = partition(dealt, { ...options, ownership: owned });
  // In place: of millions of examples each copy counts.
  for (const indices of shards) renumber(indices);
  return { shards, held: test };
}
