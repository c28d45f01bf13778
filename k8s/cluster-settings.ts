/** The settings of a run on a cluster, whoever runs it there: as on this machine, but that the data lie in the cluster. */
import { partitionOf } from '../lib/cli/partition-options.js';
import { UsageError } from '../lib/core/errors.js';
import { clientsFollowFromData } from '../lib/federation/partition/settings.js';
import type { RunSettings } from '../lib/formats/run-record.js';
import { DEFAULT_CLIENTS } from '../pipeline/number-of-clients.js';
import { DATASET_NAMES } from '../pipeline/settings.js';
import { type SettingsFlags, settingsOf } from '../pipeline/settings-options.js';
import type { Values } from './manifests/placeholders.js';

/** What `--data` takes. */
export const DATASET_HELP = `dataset: one of ${DATASET_NAMES.join(', ')}, or the path of an npz in the containers, e.g. /mnt/mine.npz`;

/** @throws {UsageError} when options contradict each other, or ask for something of this machine */
export function clusterSettings(flags: SettingsFlags): RunSettings {
  return settingsOf(flags, { clients: numberOfClients(flags), dataset: datasetOf(flags.data) });
}

/** @throws {UsageError} when only the data tell it, which lie where this program is not */
function numberOfClients(flags: SettingsFlags): number {
  const partition = partitionOf(flags);
  if (flags.clients !== undefined || !clientsFollowFromData(partition))
    return flags.clients ?? DEFAULT_CLIENTS;
  throw new UsageError(
    `With --partition ${partition.scheme} the number of clients follows from the data, which lie in the cluster: ` +
      'give it with --clients.',
  );
}

/** @throws {UsageError} for a path that means something on this machine alone */
function datasetOf(data: string): string {
  if (DATASET_NAMES.includes(data) || data.startsWith('/mnt/')) return data;
  throw new UsageError(
    `--data ${data}: expected one of ${DATASET_NAMES.join(', ')}, or a path below /mnt, where the pods see the volume. ` +
      'A file of this machine is copied there with k8s/9999-busybox.yaml and kubectl cp.',
  );
}

/** A trainer has as many threads as it has whole processors. */
export function trainerThreads({ TRAINER_CPU = '1' }: Values): number {
  return Math.max(
    1,
    Math.floor(TRAINER_CPU.endsWith('m') ? Number.parseInt(TRAINER_CPU, 10) / 1000 : Number(TRAINER_CPU)),
  );
}
