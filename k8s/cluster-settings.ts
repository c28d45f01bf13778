/** What options say of a run on a cluster, whoever runs it there: its settings, with the data in the cluster, and which cluster. */

import type { Command } from 'commander';
import { UsageError } from '../lib/core/errors.js';
import { clientsFollowFromData } from '../lib/federation/partition/settings.js';
import { type AskedSettings, completeSettings, type GivenSettings } from '../lib/settings/complete.js';
import type { CommandSettings } from '../lib/settings/options.js';
import { DATASET_NAMES } from '../lib/settings/parts/data.js';
import { KEEPING, SIMULATION } from '../lib/settings/parts/federation.js';
import { PARTITION, SCHEME } from '../lib/settings/parts/partition.js';
import { WATCHING } from '../lib/settings/parts/watching.js';
import { runSettings } from '../lib/settings/run-settings.js';
import { valueAt } from '../lib/settings/setting.js';
import { ALL_PARTS, filesIn, type RunSettings, settingArguments } from '../lib/settings/table.js';
import type { Destination } from './connection/connect.js';
import { isPlaceholder, type Values } from './manifests/placeholders.js';

/** What a run on a cluster takes: clients are pods there, so that there is nothing to simulate; and no volume is seen from here. */
export const CLUSTER_SETTINGS: CommandSettings = {
  parts: ALL_PARTS.filter((part) => part !== SIMULATION && part !== KEEPING),
  help: {
    'dataset.name': `dataset: one of ${DATASET_NAMES.join(', ')}, or the path of a file or folder in the containers, e.g. /mnt/mine.npz`,
    'model.config':
      "the model of this architecture (JSON, Keras' to_json), by its path in the containers, e.g. /mnt/model.json",
    'model.task':
      'model, loss and preprocessing from this module, by its path in the containers, e.g. /mnt/task.ts',
    'model.init': 'start from this Keras model, by its path in the containers, e.g. /mnt/model.h5',
  },
};

/** @throws {UsageError} when settings contradict each other, or ask for something of this machine */
export function clusterSettings(asked: AskedSettings): RunSettings {
  const { given, named } = asked;
  const { partition } = completeSettings([PARTITION], asked).federation;
  if (given['federation.clients'] === undefined && clientsFollowFromData(partition)) {
    throw new UsageError(
      `With ${named(SCHEME)} ${partition.scheme} the number of clients follows from the data, which lie in the cluster: ` +
        `give it with ${named('federation.clients')}.`,
    );
  }
  const settings = runSettings(asked);
  // A path means something on this machine alone, unless it is that of the volume.
  const elsewhere = filesIn((at) => valueAt(settings, at)).find(([, file]) => !file.startsWith('/mnt/'));
  if (elsewhere === undefined) return settings;
  const [place, file] = elsewhere;
  const names = place === 'dataset.name' ? `one of ${DATASET_NAMES.join(', ')}, or ` : '';
  throw new UsageError(
    `${named(place)} ${file}: expected ${names}a path below /mnt, where the pods see the volume. A file of this machine ` +
      'is copied there with k8s/9999-busybox.yaml and kubectl cp.',
  );
}

/** Addresses that everyone sees who sees the Jobs, and what a password needs there. */
const WITHOUT_PASSWORD = [
  [
    'watching.mlflow',
    'Pods take these from a Secret: kubectl create secret generic fedbatch-mlflow --from-literal=MLFLOW_TRACKING_TOKEN=…',
  ],
  ['watching.pushgateway', 'Let a Pushgateway in the cluster be reached by its pods alone (k8s/monitoring).'],
] as const;

/**
 * The arguments by which the recorder opens those who watch a run.
 *
 * @throws {UsageError} for an address with a password, which everyone would see who sees the Jobs
 */
export function watchingArguments({ given, named }: AskedSettings, partOf?: object): readonly string[] {
  const words = settingArguments('record', {}, given);
  for (const [place, secret] of WITHOUT_PASSWORD) {
    const url = `${given[place] ?? ''}`;
    if (!URL.canParse(url) || new URL(url).username === '') continue;
    throw new UsageError(
      `${named(place)}: expected an address without name and password, found one with them. ${secret}`,
    );
  }
  return words.length === 0 || partOf === undefined ? words : [...words, '--part-of', JSON.stringify(partOf)];
}

/** What the pods are told of who watches them: values of the templates. */
export function watchedValues(given: GivenSettings): Values {
  const told = WATCHING.settings.flatMap(({ place, placeholder = '' }) =>
    given[place] === undefined || !isPlaceholder(placeholder) ? [] : [[placeholder, `${given[place]}`]],
  );
  return Object.fromEntries(told);
}

/** A directory as the claim has it. @throws {UsageError} for a path that leaves the claim */
export function directoryOf(volume: string, option = '--volume'): string {
  const path = volume.replace(/^\/mnt\//, '').replace(/\/$/, '');
  if (/^[\w.-]+(\/[\w.-]+)*$/.test(path) && !path.split('/').includes('..')) return path;
  throw new UsageError(`${option} ${volume}: expected a directory on the claim, such as runs/first.`);
}

/** A trainer has as many threads as it has whole processors. */
export function trainerThreads({ TRAINER_CPU = '1' }: Values): number {
  return Math.max(
    1,
    Math.floor(TRAINER_CPU.endsWith('m') ? Number.parseInt(TRAINER_CPU, 10) / 1000 : Number(TRAINER_CPU)),
  );
}

/** What they parse to; `--namespace` is an option of the templates, too. */
export interface ClusterFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
}

/** Adds `--kubeconfig` and `--context`. */
export function addClusterOptions(command: Command): Command {
  return command
    .option(
      '--kubeconfig <file>',
      'how to reach the cluster (default: KUBECONFIG, ~/.kube/config, or that of the pod)',
    )
    .option('--context <name>', 'context of the kubeconfig (default: its current one)');
}

/** Where the flags lead. */
export function destinationOf({ kubeconfig, context, namespace }: ClusterFlags): Destination {
  return { kubeconfig, context, namespace };
}
