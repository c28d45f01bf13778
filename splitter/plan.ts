/** The plan of a split: which examples go into which file. */
import { UsageError } from '../lib/core/errors.js';
import { countClasses, exampleCount, labelsIn } from '../lib/federation/examples.js';
import type { Ownership } from '../lib/federation/partition/by-owner.js';
import { identity } from '../lib/federation/partition/dealing.js';
import { dealDataset } from '../lib/federation/partition/partition.js';
import type { PartitionSettings } from '../lib/federation/partition/settings.js';
import { dealtOf, type OwnedDataset } from '../lib/formats/data/dataset-source.js';
import type { FilePart } from './dealt-parts.js';
import { withHeldOut } from './held-out.js';

/** What goes into each file. */
export interface Plan {
  /** Where targets are labels. */
  readonly classes: number | undefined;
  readonly shards: readonly FilePart[];
  /** Where shards are virtual: the examples of all clients, in one file. */
  readonly kept?: FilePart;
  readonly test: FilePart;
}

/** The parts that are written, in that order. */
export function partsOfPlan({ shards, kept, test }: Plan): readonly FilePart[] {
  if (kept !== undefined) return [test, kept];
  return [test, ...shards.flatMap((part) => (part.ownTest === undefined ? [part] : [part, part.ownTest]))];
}

/** What a plan follows from, beside the examples. */
export interface PlanOptions {
  /** Path of the dataset: an npz or, for the scheme `given`, a directory of shards. */
  readonly data: string;
  /** Number of shards, at least 1; with the schemes `by-key` and `given` it follows from the data. */
  readonly clients?: number | undefined;
  readonly partition: PartitionSettings;
  readonly seed: number;
  /** Share of the examples held out for testing where the dataset has no test examples, between 0 and 1. */
  readonly testFraction: number;
  /** Share of its examples that each client holds out that brings none, above 0 and below 1; by default clients hold nothing out. */
  readonly clientHoldout?: number | undefined;
  /** For simulations: all training examples in one file, and the clients' shares as lists of them. */
  readonly virtual?: boolean;
}

/** Plans a split. @throws {UsageError} when the data do not allow the partition */
export function planSplit(dataset: OwnedDataset, options: PlanOptions): Plan {
  const { train, test, ownership, heldOut: brought } = dataset;
  const labels = labelsIn(train);
  const heldLabels = test && labelsIn(test);
  const { data, seed, testFraction, clientHoldout } = options;
  const { shards, held } = dealDataset(dealtOf(dataset, { data, clientHoldout }), {
    ...options.partition,
    ...{ clients: numberOfClients(options, ownership), seed, ownership },
    testFraction: test === undefined ? testFraction : undefined,
  });
  const parts = withHeldOut(shards, { clientHoldout, seed, labels, brought }).map(
    (part, client): FilePart => ({
      source: train,
      ...part,
      ...(part.heldOut === undefined ? {} : { ownTest: { source: train, indices: part.heldOut } }),
      ...ownerOf(client, ownership),
    }),
  );
  return {
    classes: labels && countClasses(labels, ...(heldLabels === undefined ? [] : [heldLabels])),
    shards: parts,
    ...(options.virtual ? { kept: keptOf(parts) } : {}),
    test:
      test === undefined
        ? { source: train, indices: held }
        : { source: test, indices: identity(exampleCount(test)) },
  };
}

function ownerOf(client: number, ownership: Ownership | undefined): { readonly owner?: string } {
  const owner = ownership?.names[client];
  return owner === undefined ? {} : { owner };
}

/** @throws {UsageError} when it is neither given nor known, or both and not the same */
function numberOfClients({ clients, data }: PlanOptions, ownership: Ownership | undefined): number {
  const found = ownership?.names.length;
  const number = clients ?? found;
  if (number === undefined) throw new UsageError('Expected a number of clients to deal the examples to.');
  if (found === undefined || number === found) return number;
  throw new UsageError(
    `${data} tells of ${found} clients, which contradicts the ${number} that are asked for: leave the number out.`,
  );
}

/** The examples of all clients in the order of the dataset: without those that were held out for the test. */
function keptOf(shards: readonly FilePart[]): FilePart {
  const { source } = shards[0] as FilePart;
  const isDealt = new Uint8Array(exampleCount(source));
  let count = 0;
  for (const { indices, heldOut = [] } of shards)
    for (const list of [indices, heldOut]) {
      for (const at of list) isDealt[at] = 1;
      count += list.length;
    }
  const indices = new Uint32Array(count);
  for (let example = 0, at = 0; example < isDealt.length; example++)
    if (isDealt[example] === 1) indices[at++] = example;
  return { source, indices };
}
