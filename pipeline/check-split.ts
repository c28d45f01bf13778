/** Refuses a split that the data do not allow before anything is written; the splitter would find out later. */

import type { Ownership } from '../lib/federation/partition/by-owner.js';
import { dealDataset } from '../lib/federation/partition/deal-dataset.js';
import { DEFAULT_TEST_FRACTION } from '../lib/federation/partition/hold-out.js';
import { readFileBytes } from '../lib/formats/atomic-file.js';
import { parseTrainLabels, readShardLabels, type TrainLabels } from '../lib/formats/dataset.js';
import { listGivenShards } from '../lib/formats/given-shards.js';
import { readOwnership } from '../lib/formats/ownership.js';
import type { RunSettings } from '../lib/formats/run-record.js';
import { namedLabels } from './named-datasets.js';

/**
 * Deals the labels alone, as the splitter will deal the examples.
 *
 * @throws {UsageError} when dataset, number of clients and partition do not go together, with the numbers
 * @throws {DataError} when the labels cannot be read
 */
export async function checkSplit(
  settings: Pick<RunSettings, 'dataset' | 'federation' | 'seed'>,
): Promise<void> {
  const { federation, seed } = settings;
  const { labels, bringsTest, ownership } = await labelsOf(settings);
  dealDataset(labels, {
    ...federation.partition,
    ...{ clients: federation.clients, seed, ownership },
    testFraction: bringsTest ? undefined : DEFAULT_TEST_FRACTION,
  });
}

type OwnedLabels = TrainLabels & { readonly ownership?: Ownership };

async function labelsOf({
  dataset,
  federation,
}: Pick<RunSettings, 'dataset' | 'federation'>): Promise<OwnedLabels> {
  const { name: path } = dataset;
  const { partition } = federation;
  const known = namedLabels(path);
  if (known !== undefined) return { labels: known, bringsTest: true };
  if (partition.scheme === 'given') return await givenLabels(path);
  const bytes = await readFileBytes(path, 'a dataset (npz)');
  const found = await parseTrainLabels(bytes, path);
  if (partition.scheme !== 'by-key') return found;
  const { key } = partition;
  return { ...found, ownership: await readOwnership({ bytes, path, key, examples: found.labels.length }) };
}

/** As the splitter joins them: the shards in order, each its own client's. */
async function givenLabels(directory: string): Promise<OwnedLabels> {
  const { shards, test } = await listGivenShards(directory);
  const parts: Int32Array[] = [];
  for (const shard of shards) parts.push(await readShardLabels(shard));
  return {
    labels: Int32Array.from(parts.flatMap((part) => [...part])),
    bringsTest: test !== undefined,
    ownership: {
      owners: Uint32Array.from(parts.flatMap((part, client) => Array.from(part, () => client))),
      names: parts.map((_, client) => `${client}.npz`),
    },
  };
}
