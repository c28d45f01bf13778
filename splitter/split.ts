/** The splitter's main path: a dataset dealt to clients, one npz each, with a test set and a manifest. */
import { basename, join } from 'node:path';
import { UsageError } from '../lib/federation/errors.js';
import {
  countClasses,
  type Examples,
  imageDtype,
  labelHistogram,
  takeExamples,
} from '../lib/federation/examples.js';
import type { Ownership } from '../lib/federation/partition/by-owner.js';
import { identity } from '../lib/federation/partition/dealing.js';
import { holdOut } from '../lib/federation/partition/hold-out.js';
import { partition } from '../lib/federation/partition/partition.js';
import type { PartitionSettings } from '../lib/federation/partition/settings.js';
import { writeShard } from '../lib/formats/dataset.js';
import { type Manifest, type ManifestShard, writeManifest } from '../lib/formats/manifest.js';
import type { Reporter } from '../lib/observability/events.js';
import {
  abandonSplit,
  beginSplit,
  endSplit,
  findFinished,
  MANIFEST_NAME,
  refuseOwnOutput,
  shardName,
  TEST_NAME,
} from './outputs.js';
import { type OwnedDataset, openSource } from './source.js';

/** What to split, and how. */
export interface SplitOptions {
  /** Path of the dataset: an npz or, for the scheme `given`, a directory of shards. */
  readonly data: string;
  /** Directory of the shards; made when missing. */
  readonly savedir: string;
  /** Number of shards, at least 1; with the schemes `by-key` and `given` it follows from the data. */
  readonly clients?: number | undefined;
  readonly partition: PartitionSettings;
  readonly seed: number;
  /** Share of the examples held out for testing where the dataset has no test examples, between 0 and 1. */
  readonly testFraction: number;
  readonly reporter: Reporter;
  readonly signal?: AbortSignal;
}

/** What a split made or found done. */
export interface SplitResult {
  readonly manifest: Manifest;
  /** True when an earlier run had done the same work and its files were intact. */
  readonly skipped: boolean;
}

/**
 * Splits a dataset into `0.npz … N-1.npz`, `test.npz` and `manifest.json`. Work that is already done is recognised
 * by the manifest and its checksums, and skipped; a split that fails leaves none of its files. Files of others stay.
 *
 * @throws {DataError} for a bad dataset
 * @throws {UsageError} for a partition that the data do not allow, or files in the way that no split made
 * @throws {StorageError} for a full disk
 */
export async function split(options: SplitOptions): Promise<SplitResult> {
  const { data, savedir, seed, testFraction, reporter } = options;
  const source = await openSource(data, options.partition);
  const finished = await findFinished(savedir, { ...options, datasetSha256: source.sha256 });
  if (finished !== undefined) {
    await endSplit(savedir);
    return { manifest: finished, skipped: true };
  }

  await refuseOwnOutput(data, savedir);
  const dataset = await source.load();
  warnAboutScale(dataset.train, data, reporter);
  const plan = planSplit(dataset, options);
  const removed = await beginSplit(savedir, plan.shards.length);
  if (removed > 0) reporter.info(`Removed ${removed} shards of an earlier split from ${savedir}.`);
  try {
    const files = await writeParts(plan, options);
    const manifest: Manifest = {
      schemaVersion: 1,
      dataset: {
        file: basename(data),
        sha256: source.sha256,
        testFraction: dataset.test === undefined ? testFraction : null,
      },
      partition: { ...options.partition, seed },
      classes: plan.classes,
      image: { shape: dataset.train.shape.slice(1), dtype: imageDtype(dataset.train.images) },
      ...files,
    };
    await writeManifest(join(savedir, MANIFEST_NAME), manifest);
    await endSplit(savedir);
    return { manifest, skipped: false };
  } catch (error) {
    await abandonSplit(savedir).catch(() => undefined);
    throw error;
  }
}

/** Floats are taken as they are, and the server shows a model images from 0 to 1. */
function warnAboutScale({ images }: Examples, data: string, reporter: Reporter): void {
  if (images instanceof Uint8Array || !images.some((value) => value > LARGEST_USUAL_FLOAT)) return;
  reporter.warn(
    `${data}: the images are floats of more than ${LARGEST_USUAL_FLOAT}. They are used as they are, but the server gives a model ` +
      'images from 0 to 1: store uint8, or divide by 255.',
  );
}

/** Standardised images stay below; those from 0 to 255 do not. */
const LARGEST_USUAL_FLOAT = 20;

/** Which examples of which source go into each file. */
interface Plan {
  readonly classes: number;
  readonly shards: readonly Part[];
  readonly test: Part;
}

interface Part {
  readonly source: Examples;
  readonly indices: Uint32Array;
  /** What the data call the client, where they tell. */
  readonly owner?: string;
}

/** @throws {UsageError} when the data do not allow the partition */
function planSplit({ train, test, ownership }: OwnedDataset, options: SplitOptions): Plan {
  const { labels } = train;
  const { seed } = options;
  const all = { train: identity(labels.length), test: new Uint32Array(0) };
  const held = test === undefined ? holdOut(labels.length, options.testFraction, seed) : all;
  const kept = held.train.map((index) => labels[index] as number);
  const owned = ownership && {
    ...ownership,
    owners: held.train.map((index) => ownership.owners[index] as number),
  };
  const clients = numberOfClients(options, ownership);
  const shards = partition(kept, { ...options.partition, clients, seed, ownership: owned });
  return {
    classes: countClasses(labels, ...(test === undefined ? [] : [test.labels])),
    shards: shards.map((indices, client) => ({
      source: train,
      indices: indices.map((index) => held.train[index] as number),
      ...ownerOf(client, ownership),
    })),
    test:
      test === undefined
        ? { source: train, indices: held.test }
        : { source: test, indices: identity(test.labels.length) },
  };
}

function ownerOf(client: number, ownership: Ownership | undefined): { readonly owner?: string } {
  const owner = ownership?.names[client];
  return owner === undefined ? {} : { owner };
}

/** @throws {UsageError} when it is neither given nor known, or both and not the same */
function numberOfClients({ clients, data }: SplitOptions, ownership: Ownership | undefined): number {
  const found = ownership?.names.length;
  const number = clients ?? found;
  if (number === undefined) throw new UsageError('Expected a number of clients to deal the examples to.');
  if (found === undefined || number === found) return number;
  throw new UsageError(
    `${data} tells of ${found} clients, which contradicts the ${number} that are asked for: leave the number out.`,
  );
}

async function writeParts(
  { shards, test, classes }: Plan,
  { savedir, reporter, signal }: SplitOptions,
): Promise<{ readonly shards: ManifestShard[]; readonly test: ManifestShard }> {
  const write = async (file: string, { source, indices, owner }: Part): Promise<ManifestShard> => {
    signal?.throwIfAborted();
    const examples = takeExamples(source, indices);
    const written = await writeShard(join(savedir, file), examples);
    return {
      file,
      ...(owner === undefined ? {} : { owner }),
      examples: indices.length,
      labelHistogram: labelHistogram(examples.labels, classes),
      ...written,
    };
  };
  const testPart = await write(TEST_NAME, test);
  const done: ManifestShard[] = [];
  for (const [client, part] of shards.entries()) {
    done.push(await write(shardName(client), part));
    reporter.progress({ stage: 'split', done: done.length, total: shards.length, unit: 'shards' });
  }
  return { shards: done, test: testPart };
}
