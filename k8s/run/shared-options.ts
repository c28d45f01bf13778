/** What runs on a cluster have in common, alone or as trials of a sweep: options, and what they say of a run. */
import { Option } from 'commander';
import { integerOption, MAX_THREADS, numberOption } from '../../lib/cli/options.js';
import { type ClusterFlags, destinationOf, trainerThreads } from '../cluster-settings.js';
import { type TemplateFlags, templateValuesOf } from '../manifests/template-options.js';
import type { KubeRunOptions } from './run.js';

/** What the options parse to, those of the templates and of the cluster among them. */
export interface SharedFlags extends TemplateFlags, ClusterFlags {
  readonly threads?: number;
  readonly isolate: boolean;
  readonly scheduleTimeout: number;
  readonly cleanup?: true;
  readonly fresh?: true;
}

/** What the flags say of a run. */
export type SharedOptions = Pick<
  KubeRunOptions,
  'values' | 'destination' | 'queue' | 'threads' | 'isolates' | 'fresh' | 'scheduleTimeoutMs' | 'cleansUp'
>;

/** `--threads`. */
export const trainerThreadsOption = (): Option =>
  new Option('--threads <count>', 'threads of each trainer (default: its processors, TRAINER_CPU)').argParser(
    integerOption({ min: 1, max: MAX_THREADS }),
  );

/** `--no-isolate`. */
export const isolateOption = (): Option =>
  new Option(
    '--no-isolate',
    'mount the whole claim in the pods of trainers and aggregators, where parts of it cannot be mounted (subPath)',
  );

/** `--schedule-timeout`; `what` says what is given up. */
export const scheduleTimeoutOption = (what: 'give up' | 'give up a trial'): Option =>
  new Option(
    '--schedule-timeout <seconds>',
    `${what} when pods of a stage have waited to start for this long and none runs`,
  )
    .argParser(numberOption({ min: 0 }))
    .default(300);

/** @throws {UsageError} when a value is not what its placeholder takes */
export function sharedOptions(flags: SharedFlags): SharedOptions {
  const values = templateValuesOf(flags);
  const { queue, threads = trainerThreads(values), isolate: isolates } = flags;
  const { fresh = false, scheduleTimeout, cleanup = false } = flags;
  return {
    ...{ values, destination: destinationOf(flags), queue, threads, isolates, fresh },
    ...{ scheduleTimeoutMs: scheduleTimeout * 1000, cleansUp: cleanup },
  };
}
