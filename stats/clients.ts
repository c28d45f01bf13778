/** The clients' examples, one client at a time: on a run's volume, in a split, in a folder of shards, or in data of any kind. */
import { join } from 'node:path';
import { resolveDataset } from '../datasets/resolve.js';
import { DataError, UsageError } from '../lib/core/errors.js';
import { examplesOfRows } from '../lib/federation/example-rows.js';
import { type DataFacts, type Examples, exampleCount } from '../lib/federation/examples.js';
import { byOwner } from '../lib/federation/partition/by-owner.js';
import { shardIndices } from '../lib/federation/partition/client-holdout.js';
import { readShard } from '../lib/formats/data/dataset.js';
import { openSource } from '../lib/formats/data/dataset-source.js';
import { isDirectory, listGivenShards } from '../lib/formats/data/given-shards.js';
import { readPartition } from '../lib/formats/data/virtual-shards.js';
import { exists } from '../lib/formats/files/read-file.js';
import { clientsOf, type Manifest, readManifest } from '../lib/formats/manifest.js';
import { targetsListed } from '../lib/formats/manifest-facts.js';
import { findVolume } from '../lib/formats/runs/find-run.js';
import { LATEST } from '../lib/formats/volume.js';
import type { Reporter } from '../lib/observability/events.js';
import { DATASET_NAMES } from '../lib/settings/parts/data.js';

/** One client's examples: rows of an array, or all of them. */
export interface ClientRows {
  readonly examples: Examples;
  readonly rows?: ArrayLike<number> | undefined;
}

/** Clients whose examples can be read, again and again. */
export interface ClientSource {
  /** Path, for people. */
  readonly path: string;
  readonly facts: Pick<DataFacts, 'classNames' | 'inputs' | 'target'>;
  /** What the data call each client, where they call it something. */
  readonly owners: readonly (string | undefined)[];
  /** Reads the examples of the client with this number. */
  read(client: number): Promise<ClientRows>;
}

/** Where to look. */
interface SourceOptions {
  /** A volume, a directory of shards, or data. */
  readonly source: string;
  /** Of data that are not split: the column, or array, that says whose an example is. */
  readonly client?: string | undefined;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

/** Opens what `source` names. @throws {DataError} where there are no examples to be found */
export async function openClients({
  source: given,
  client,
  ...context
}: SourceOptions): Promise<ClientSource> {
  const source = await meantSource(given, context.reporter);
  if (await isDirectory(source)) {
    for (const directory of [join(source, 'data'), source]) {
      const manifest = join(directory, 'manifest.json');
      if (await exists(manifest)) return splitClients(directory, await readManifest(manifest));
    }
    if (await exists(join(source, 'run.json'))) {
      const found = 'a run that has not split its data yet';
      throw new DataError({ file: source, expected: 'a volume with data/manifest.json', found });
    }
    if (await exists(join(source, '0.npz'))) return shardClients(source);
  }
  return dataClients(await resolveDataset(source, context), client, context.reporter);
}

/** What lies there goes first, then a name of data; any other word may mean a run. */
async function meantSource(word: string, reporter: Reporter): Promise<string> {
  if (DATASET_NAMES.includes(word) || /[/\\.]/.test(word) || (await exists(word))) return word;
  const options = { warn: (message: string) => reporter.warn(message) };
  return await findVolume(word, options).catch((error: unknown) => {
    if (word !== LATEST && error instanceof UsageError) return word;
    throw error;
  });
}

/** What a split's manifest lists. */
async function splitClients(directory: string, manifest: Manifest): Promise<ClientSource> {
  const inputs = Object.fromEntries((manifest.inputs ?? []).map((each) => [each.name, each]));
  const { classNames, target } = manifest;
  const source = {
    path: directory,
    facts: { inputs, ...(classNames && { classNames }), ...(target && { target }) },
    owners: clientsOf(manifest).map(({ owner }) => owner),
  };
  const targets = targetsListed(manifest);
  const { virtual } = manifest;
  if (virtual === undefined) {
    return {
      ...source,
      read: async (client) => ({ examples: await readShard(join(directory, `${client}.npz`), { targets }) }),
    };
  }
  const examples = await readShard(join(directory, virtual.train.file), { targets });
  const lists = await readPartition(join(directory, virtual.partition.file), exampleCount(examples));
  return { ...source, read: async (client) => ({ examples, rows: shardIndices(lists, client) }) };
}

/** Shards that nobody has split here: their numbers may be missing, which is what one looks for. */
async function shardClients(directory: string): Promise<ClientSource> {
  const { shards } = await listGivenShards(directory);
  return {
    path: directory,
    facts: {},
    owners: shards.map(() => undefined),
    read: async (client) => ({ examples: await readShard(shards[client] as string, { keepsMissing: true }) }),
  };
}

/** How data are opened that are one client's: they are not dealt. */
const IID = { scheme: 'iid', minExamples: 1 } as const;

/** The training examples of data: those of each key, or of one client. */
async function dataClients(path: string, key: string | undefined, reporter: Reporter): Promise<ClientSource> {
  const partition = key === undefined ? IID : ({ scheme: 'by-key', key, minExamples: 1 } as const);
  const tell = (note: string) => reporter.info(note);
  const { load } = await openSource(path, partition, { tell, keepsMissing: true });
  const {
    train,
    facts = {},
    ownership,
  } = await load({ onProgress: (progress) => reporter.progress({ stage: 'read', ...progress }) });
  const examples = await examplesOfRows(train);
  if (ownership === undefined) return { path, facts, owners: [undefined], read: async () => ({ examples }) };
  const { names } = ownership;
  const hands = byOwner({ length: exampleCount(train) }, { clients: names.length, ownership });
  return { path, facts, owners: names, read: async (client) => ({ examples, rows: hands[client] }) };
}
