/** The number of clients of a run: as asked for, or as the data say. */
import { UsageError } from '../lib/core/errors.js';
import { clientsFollowFromData, type PartitionSettings } from '../lib/federation/partition/settings.js';
import { clientsInData } from '../lib/formats/data/ownership.js';
import { DATASET_NAMES } from './settings.js';

/** Clients of a run that says nothing of them. */
export const DEFAULT_CLIENTS = 3;

/** What the number depends on. */
export interface ClientsRequest {
  /** Name or path of the dataset. */
  readonly data: string;
  readonly partition: PartitionSettings;
  /** What the user asked for, if anything. */
  readonly asked: number | undefined;
}

/**
 * The number of clients, K.
 *
 * @throws {UsageError} when the user asks for another number than the data tell of
 * @throws {DataError} when the data should tell and do not
 */
export async function numberOfClients({ data, partition, asked }: ClientsRequest): Promise<number> {
  if (!clientsFollowFromData(partition)) return asked ?? DEFAULT_CLIENTS;
  const { scheme } = partition;
  if (DATASET_NAMES.includes(data)) {
    throw new UsageError(
      `The dataset ${data} does not say whose its examples are: --partition ${scheme} needs --data of your own.`,
    );
  }
  const found = await clientsInData(data, partition);
  if (asked === undefined || asked === found) return found;
  throw new UsageError(
    `--clients ${asked} contradicts the data: with --partition ${scheme}, ${data} tells of ${found} clients. Leave --clients out.`,
  );
}
