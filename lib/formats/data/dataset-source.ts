/** Where the examples of a split come from: a dataset of any kind, or a directory of shards that are split already. */
import { DataError, UsageError } from '../../core/errors.js';
import { type DatasetRows, rowsOfExamples } from '../../federation/example-rows.js';
import {
  concatExamples,
  countClasses,
  type DataFacts,
  describeAllTargets,
  describeInputs,
  type Examples,
  exampleCount,
  labelsIn,
  targetKinds,
} from '../../federation/examples.js';
import type { Ownership } from '../../federation/partition/by-owner.js';
import type { PartitionSettings } from '../../federation/partition/settings.js';
import { readFileBytes, sha256, sha256OfFile } from '../files/read-file.js';
import type { DataReading, FoundData } from '../sources/source-kind.js';
import { clientTestName } from '../volume.js';
import { datasetOf, type ExampleReading, readShard } from './dataset.js';
import { foreignDirectory } from './foreign-data.js';
import { isDirectory, listGivenShards, sha256OfShards } from './given-shards.js';
import { type ArrayArchive, openNpz, rowsInMemory } from './npz.js';
import { readOwnership } from './ownership.js';
import { openLargeNpz } from './streamed/npz-rows.js';
import { isZipFile } from './zip.js';

/** A dataset and, where it says so, whose each training example is. */
export interface OwnedDataset extends DatasetRows {
  readonly ownership?: Ownership;
  /** What clients bring that they hold out: by client, places in `train` behind all that have an owner. */
  readonly heldOut?: readonly (Uint32Array | undefined)[];
  /** What the data say of their own numbers. */
  readonly facts?: DataFacts;
}

/**
 * What of the training examples is dealt: their labels or, where targets are no labels, how many there are; without those
 * that clients bring as held out.
 *
 * @throws {UsageError} where clients bring such and nobody asked for clients that hold examples out
 */
export function dealtOf(
  { train, ownership, heldOut }: OwnedDataset,
  { data, clientHoldout }: { readonly data: string; readonly clientHoldout: number | undefined },
): Int32Array | { readonly length: number } {
  const labels = labelsIn(train);
  if (heldOut === undefined || ownership === undefined) return labels ?? { length: exampleCount(train) };
  if (clientHoldout === undefined) {
    throw new UsageError(
      `${data} has ${clientTestName(heldOut.findIndex((each) => each !== undefined))}, which a client holds out: with ` +
        '--client-holdout the examples of such files are held out, and that share of those of all other clients.',
    );
  }
  const { length } = ownership.owners;
  return labels?.subarray(0, length) ?? { length };
}

/** A dataset that is known by its hash and loaded only when it is needed. */
interface Source {
  /** Reads all of it. */
  sha256(): Promise<string>;
  load(how?: Loading): Promise<OwnedDataset>;
}

/** How data are loaded: without a scratch file all of a table is kept in memory. */
type Loading = Pick<DataReading, 'onProgress' | 'scratch' | 'leavesInputs'>;

/**
 * Opens what `data` names.
 *
 * @throws {UsageError} for a directory where the scheme wants a file
 * @throws {DataError} when something is missing; `load` when the data are not what they should be
 */
export async function openSource(
  data: string,
  partition: PartitionSettings,
  options: ExampleReading = {},
): Promise<Source> {
  if (partition.scheme === 'given') {
    return {
      sha256: () => sha256OfShards(data),
      load: async () => tellApart(await loadShards(data, options), data),
    };
  }
  const found = await findSource(data);
  if (found !== undefined) {
    const { sha256OfFound } = await import('../sources/registry.js');
    return {
      sha256: () => sha256OfFound(found),
      load: (how) => loadFound(found, { ...how, data, partition, options }),
    };
  }
  if (await isDirectory(data)) {
    const foreign = await foreignDirectory(data);
    if (foreign !== undefined) throw new DataError({ file: data, expected: 'a dataset (npz)', ...foreign });
    throw new UsageError(
      `${data} is a directory: the partition scheme given takes one, with shards 0.npz, 1.npz, …; others take one of tables ` +
        '(CSV, Parquet), of pictures in a folder for each class, or of IDX files.',
    );
  }
  const { arrays, sha256: hash } = await openArrays(data);
  return {
    sha256: hash,
    async load({ onProgress }: Loading = {}) {
      const dataset = tellApart(await datasetOf(arrays, data, { ...options, onProgress }), data);
      if (partition.scheme !== 'by-key') return dataset;
      const { key } = partition;
      const examples = exampleCount(dataset.train);
      return { ...dataset, ownership: await readOwnership({ arrays, path: data, key, examples }) };
    },
  };
}

interface OpenArrays {
  readonly arrays: ArrayArchive;
  sha256(): Promise<string>;
}

/** The arrays of an npz: of a small one its bytes are in memory, a large one is read as it is used. @throws {DataError} when it is none */
async function openArrays(path: string): Promise<OpenArrays> {
  const large = await openLargeNpz(path);
  if (large !== undefined) return { arrays: large, sha256: () => sha256OfFile(path, NPZ) };
  const bytes = await readFileBytes(path, NPZ);
  return { arrays: rowsInMemory(await openNpz(bytes, path)), sha256: async () => sha256(bytes) };
}

/** What error messages call it. */
const NPZ = 'a dataset (npz)';

/** The data, where they are of another kind than npz and shards. An npz loads nothing of the other kinds. */
async function findSource(data: string): Promise<FoundData | undefined> {
  if (await isZipFile(data)) return undefined;
  return (await import('../sources/registry.js')).findData(data);
}

interface FoundLoading extends Loading {
  readonly data: string;
  readonly partition: PartitionSettings;
  readonly options: ExampleReading;
}

async function loadFound(
  found: FoundData,
  { data, partition, options, ...how }: FoundLoading,
): Promise<OwnedDataset> {
  const key = partition.scheme === 'by-key' ? partition.key : undefined;
  const { tell } = options;
  // These have one array of targets.
  const targets = typeof options.targets === 'object' ? undefined : options.targets;
  const { arrays, facts, targets: known } = await found.read({ key, tell, targets, ...how });
  const asked = { ...options, targets: options.targets ?? known, onProgress: how.onProgress };
  const dataset = { ...tellApart(await datasetOf(arrays, data, asked), data), facts };
  if (key === undefined) return dataset;
  const examples = exampleCount(dataset.train);
  return {
    ...dataset,
    ownership: await readOwnership({ arrays, path: data, key, examples, names: facts.keys?.[key] }),
  };
}

/**
 * sha256 (hex) of a dataset: of its file, or of the hashes of all its files.
 *
 * @param what says in an error message what was expected at `path`
 * @throws {DataError} when something is missing or cannot be read
 */
export async function sha256OfDataset(path: string, what: string): Promise<string> {
  const found = await findSource(path);
  if (found !== undefined) return (await import('../sources/registry.js')).sha256OfFound(found);
  return (await isDirectory(path)) ? await sha256OfShards(path) : await sha256OfFile(path, what);
}

/**
 * The number of clients that the data tell of, for the schemes `by-key` and `given`.
 *
 * @throws {DataError} as `openSource` and what it opens
 */
export async function clientsInData(data: string, partition: PartitionSettings): Promise<number> {
  if (partition.scheme !== 'by-key') return (await listGivenShards(data)).shards.length;
  const { key } = partition;
  const found = await findSource(data);
  if (found === undefined) {
    const { arrays } = await openArrays(data);
    return (await readOwnership({ arrays, path: data, key })).names.length;
  }
  const { ownership } = await loadFound(found, { data, partition, options: {}, leavesInputs: true });
  return ownership?.names.length ?? 0;
}

/** The same data, if there is something to tell apart in them. @throws {DataError} for one class alone */
function tellApart<T extends DatasetRows>(dataset: T, file: string): T {
  const { train, test } = dataset;
  const labels = labelsIn(train);
  if (labels === undefined) return dataset;
  const held = test && labelsIn(test);
  if (countClasses(labels, ...(held === undefined ? [] : [held])) > 1) return dataset;
  throw new DataError({ file, expected: 'labels of at least 2 classes', found: 'label 0 alone' });
}

async function loadShards(directory: string, options: ExampleReading): Promise<OwnedDataset> {
  const { shards, heldOut, test } = await listGivenShards(directory);
  const parts: Examples[] = [];
  let kind: string | undefined;
  const read = async (path: string): Promise<Examples> => {
    // What the first one says, the others mean too.
    const [first] = parts;
    const targets = first && targetKinds(first);
    const examples = await readShard(path, { ...options, ...(targets === undefined ? {} : { targets }) });
    const isLabels = targets === 'labels' || labelsIn(examples) !== undefined;
    const found = `${describeInputs(rowsOfExamples(examples))}${isLabels ? '' : ` with ${describeAllTargets(examples)}`}`;
    kind ??= found;
    if (kind !== found) throw new DataError({ file: path, expected: `${kind} like the first shard`, found });
    return examples;
  };
  for (const path of shards) parts.push(await read(path));
  const owners = new Uint32Array(parts.reduce((sum, part) => sum + exampleCount(part), 0));
  let start = 0;
  for (const [client, part] of parts.entries()) {
    owners.fill(client, start, start + exampleCount(part));
    start += exampleCount(part);
  }
  const ownership = { owners, names: parts.map((_, client) => `${client}.npz`) };
  const [{ weights }] = parts as [Examples];
  const places: (Uint32Array | undefined)[] = [];
  for (const path of heldOut) {
    if (path === undefined) {
      places.push(undefined);
      continue;
    }
    const { weights: _, ...part } = await read(path);
    const from = start;
    start += exampleCount(part);
    places.push(Uint32Array.from({ length: start - from }, (_, at) => from + at));
    // Nobody trains on them: their weights are those of all others for the form's sake alone.
    parts.push(weights === undefined ? part : { ...part, weights: new Float32Array(start - from).fill(1) });
  }
  const rows = {
    train: rowsOfExamples(concatExamples(parts)),
    ownership,
    ...(parts.length > shards.length ? { heldOut: places } : {}),
  };
  return test === undefined ? rows : { ...rows, test: rowsOfExamples(await read(test)) };
}
