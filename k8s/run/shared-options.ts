/** What runs on a cluster have in common, alone or as trials of a sweep: options, and what they say of a run. */
import { Option } from 'commander';
import { integerOption, MAX_THREADS, numberOption } from '../../lib/cli/options.js';
import { UsageError } from '../../lib/core/errors.js';
import { type ClusterFlags, destinationOf, trainerThreads } from '../cluster-settings.js';
import type { Values } from '../manifests/placeholders.js';
import { STAGE_TEMPLATES } from '../manifests/stages.js';
import {
  askedPlaceholders,
  foreignPlaceholders,
  placeholdersOfSettings,
  type Refusals,
  refuseUnhonoured,
  type TemplateFlags,
  templateValuesOf,
} from '../manifests/template-options.js';
import type { KubeRunOptions } from './run.js';

/** What the options parse to, those of the templates and of the cluster among them. */
export interface SharedFlags extends TemplateFlags, ClusterFlags {
  readonly threads?: number;
  readonly isolate: boolean;
  readonly clientsPerPod?: number;
  readonly scheduleTimeout: number;
  readonly cleanup?: true;
  readonly fresh?: true;
}

/** What the flags say of a run. */
export type SharedOptions = Pick<
  KubeRunOptions,
  | 'values'
  | 'destination'
  | 'queue'
  | 'threads'
  | 'clientsPerPod'
  | 'isolates'
  | 'fresh'
  | 'scheduleTimeoutMs'
  | 'cleansUp'
>;

/** `--threads`. */
export const trainerThreadsOption = (): Option =>
  new Option('--threads <count>', 'threads of each trainer (default: its processors, TRAINER_CPU)').argParser(
    integerOption({ min: 1, max: MAX_THREADS }),
  );

/** `--clients-per-pod`. */
export const clientsPerPodOption = (): Option =>
  new Option(
    '--clients-per-pod <count>',
    "clients that a pod trains, one after the other; more than 1 see each other's shards: with --no-isolate",
  )
    .argParser(integerOption({ min: 1 }))
    .default(1);

/** `--schedule-timeout`; `what` says what is given up. */
export const scheduleTimeoutOption = (what: 'give up' | 'give up a trial'): Option =>
  new Option(
    '--schedule-timeout <seconds>',
    `${what} when pods of a stage have waited to start for this long and none runs`,
  )
    .argParser(numberOption({ min: 0 }))
    .default(300);

/** Placeholders that a run has flags for: what its Jobs do is not read from the templates. */
function notOfRuns(): Refusals {
  // The recorder's image; what else is said of the pipeline is for 8-pipeline.yaml.
  const { PIPELINE_IMAGE: _, ...foreign } = foreignPlaceholders([...STAGE_TEMPLATES, 'pvc']);
  return {
    ...foreign,
    ...placeholdersOfSettings(),
    MIN_ACCURACY: ': --min-accuracy gives it',
    CLIENTS: ': --fraction tells how many clients each round selects',
    MAX_FAILED_INDEXES: ': --quorum tells how many updates a round needs',
  };
}

/** Of a user's command: there is no run, and nobody in its pods knows of metrics. */
function notOfCommands(): Refusals {
  const OTHER = ': a command of your own has no use for it';
  return {
    ...foreignPlaceholders(['trainer', 'pvc']),
    ...Object.fromEntries(Object.keys(placeholdersOfSettings()).map((name) => [name, OTHER])),
    ...{ METRICS_PORT: OTHER, METRICS_HOST: OTHER, PUSHGATEWAY: OTHER },
    CLIENTS: ': --clients tells how many there are',
    MAX_FAILED_INDEXES: ': --quorum tells how many clients are enough',
  };
}

/** The values of the templates that a command on all clients asks for. @throws {UsageError} for one that it does not honour */
export function valuesOfCommand(flags: TemplateFlags): Values {
  const values = templateValuesOf(flags);
  refuseUnhonoured(askedPlaceholders(flags), notOfCommands(), 'npx fedbatch k8s each');
  return values;
}

/** @throws {UsageError} when a value is not what its placeholder takes, or a run does not honour it */
export function sharedOptions(flags: SharedFlags): SharedOptions {
  const values = templateValuesOf(flags);
  refuseUnhonoured(askedPlaceholders(flags), notOfRuns(), 'a run on a cluster');
  const { queue, threads = trainerThreads(values), isolate: isolates } = flags;
  const { clientsPerPod = 1 } = flags;
  if (clientsPerPod > 1 && isolates) {
    throw new UsageError(
      `--clients-per-pod ${clientsPerPod}: expected --no-isolate with it: the clients of a pod see each other's shards.`,
    );
  }
  const { fresh = false, scheduleTimeout, cleanup = false } = flags;
  return {
    ...{ values, destination: destinationOf(flags), queue, threads, clientsPerPod, isolates, fresh },
    ...{ scheduleTimeoutMs: scheduleTimeout * 1000, cleansUp: cleanup },
  };
}
