/** The number of clients of a run: as asked for, or as the data say. */
import { UsageError } from '../lib/core/errors.js';
import { clientsFollowFromData, type PartitionSettings } from '../lib/federation/partition/settings.js';
import { DATASET_NAMES } from '../lib/settings/parts/data.js';
import { SCHEME } from '../lib/settings/parts/partition.js';
import type { Naming } from '../lib/settings/setting.js';

/** What the number depends on. */
export interface ClientsRequest {
  /** Name or path of the dataset. */
  readonly data: string;
  readonly partition: PartitionSettings;
  /** What the user asked for, if anything. */
  readonly asked: number | undefined;
  readonly named: Naming;
}

/**
 * The number of clients, K, or undefined where neither user nor data tell it.
 *
 * @throws {UsageError} when the user asks for another number than the data tell of
 * @throws {DataError} when the data should tell and do not
 */
export async function numberOfClients({
  data,
  partition,
  asked,
  named,
}: ClientsRequest): Promise<number | undefined> {
  if (!clientsFollowFromData(partition)) return asked;
  const { scheme } = partition;
  if (DATASET_NAMES.includes(data)) {
    throw new UsageError(
      `The dataset ${data} does not say whose its examples are: ${named(SCHEME)} ${scheme} needs ${named('dataset.name')} of your own.`,
    );
  }
  const { clientsInData } = await import('../lib/formats/data/dataset-source.js');
  const found = await clientsInData(data, partition);
  if (asked === undefined || asked === found) return found;
  const clients = named('federation.clients');
  throw new UsageError(
    `${clients} ${asked} contradicts the data: with ${named(SCHEME)} ${scheme}, ${data} tells of ${found} clients. ` +
      `Leave ${clients} out.`,
  );
}
