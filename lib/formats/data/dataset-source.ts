/** Where the examples of a split come from: a dataset in one file, or a directory of shards that are split already. */
import { DataError, UsageError } from '../../core/errors.js';
import {
  concatExamples,
  countClasses,
  type Dataset,
  describeInputs,
  describeTargets,
  type Examples,
  exampleCount,
  labelsIn,
  targetKind,
} from '../../federation/examples.js';
import type { Ownership } from '../../federation/partition/by-owner.js';
import type { PartitionSettings } from '../../federation/partition/settings.js';
import { readFileBytes, sha256 } from '../files/read-file.js';
import { type ExampleReading, parseDataset, readShard } from './dataset.js';
import { foreignDirectory } from './foreign-data.js';
import { isDirectory, listGivenShards, sha256OfDataset } from './given-shards.js';
import { readOwnership } from './ownership.js';

/** A dataset and, where it says so, whose each training example is. */
export interface OwnedDataset extends Dataset {
  readonly ownership?: Ownership;
}

/** A dataset that is known by its hash and loaded only when it is needed. */
interface Source {
  readonly sha256: string;
  load(): Promise<OwnedDataset>;
}

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
      sha256: await sha256OfDataset(data, 'a directory of shards'),
      load: async () => tellApart(await loadShards(data, options), data),
    };
  }
  if (await isDirectory(data)) {
    const foreign = await foreignDirectory(data);
    if (foreign !== undefined) throw new DataError({ file: data, expected: 'a dataset (npz)', ...foreign });
    throw new UsageError(
      `${data} is a directory: the partition scheme given takes one, with shards 0.npz, 1.npz, …`,
    );
  }
  const bytes = await readFileBytes(data, 'a dataset (npz)');
  return {
    sha256: sha256(bytes),
    async load() {
      const dataset = tellApart(await parseDataset(bytes, data, options), data);
      if (partition.scheme !== 'by-key') return dataset;
      const { key } = partition;
      const examples = exampleCount(dataset.train);
      return { ...dataset, ownership: await readOwnership({ bytes, path: data, key, examples }) };
    },
  };
}

/** The same data, if there is something to tell apart in them. @throws {DataError} for one class alone */
function tellApart<T extends Dataset>(dataset: T, file: string): T {
  const { train, test } = dataset;
  const labels = labelsIn(train);
  if (labels === undefined) return dataset;
  const held = test && labelsIn(test);
  if (countClasses(labels, ...(held === undefined ? [] : [held])) > 1) return dataset;
  throw new DataError({ file, expected: 'labels of at least 2 classes', found: 'label 0 alone' });
}

async function loadShards(directory: string, options: ExampleReading): Promise<OwnedDataset> {
  const { shards, test } = await listGivenShards(directory);
  const parts: Examples[] = [];
  let kind: string | undefined;
  const read = async (path: string): Promise<Examples> => {
    // What the first one says, the others mean too.
    const [first] = parts;
    const targets = first && targetKind(first.targets);
    const examples = await readShard(path, { ...options, ...(targets === undefined ? {} : { targets }) });
    const isLabels = targets === 'labels' || labelsIn(examples) !== undefined;
    const found = `${describeInputs(examples)}${isLabels ? '' : ` with ${describeTargets(examples.targets)}`}`;
    kind ??= found;
    if (kind !== found) throw new DataError({ file: path, expected: `${kind} like the first shard`, found });
    return examples;
  };
  for (const path of shards) parts.push(await read(path));
  const train = concatExamples(parts);
  const owners = new Uint32Array(exampleCount(train));
  let start = 0;
  for (const [client, part] of parts.entries()) {
    owners.fill(client, start, start + exampleCount(part));
    start += exampleCount(part);
  }
  const ownership = { owners, names: parts.map((_, client) => `${client}.npz`) };
  return test === undefined ? { train, ownership } : { train, test: await read(test), ownership };
}
