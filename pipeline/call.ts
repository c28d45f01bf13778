/** The pipeline on this machine as a call: what is asked for → a finished run. The program and the library make it. */

import { resolve } from 'node:path';
import { packageVersion } from '../lib/cli/version.js';
import { UsageError } from '../lib/core/errors.js';
import type { Threshold } from '../lib/federation/metrics.js';
import { withSchemeOfData } from '../lib/formats/data/asked-scheme.js';
import type { Tell } from '../lib/formats/data/dataset.js';
import { type AskedSettings, completeSettings } from '../lib/settings/complete.js';
import { PARTITION } from '../lib/settings/parts/partition.js';
import { runSettings, toleranceAsked } from '../lib/settings/run-settings.js';
import { filesIn, type RunSettings } from '../lib/settings/table.js';
import type { RunLabels } from '../lib/settings/value-type.js';
import type { WatchContext } from '../observe/open-watchers.js';
import type { RunGroup } from '../observe/watcher.js';
import { numberOfClients } from './number-of-clients.js';
import type { TrainingPipe } from './piped/training-pipe.js';
import type { RunResult } from './rounds/summary.js';
import type { StageContext, StageRunner } from './rounds/target.js';

/** What to run, and where. */
export interface RunAsked {
  readonly asked: AskedSettings;
  readonly volume?: string | undefined;
  readonly jobs?: number | undefined;
  readonly threads?: number | undefined;
  readonly fresh: boolean;
  /** What people call the run. */
  readonly labels?: RunLabels | undefined;
  readonly minAccuracy?: number | undefined;
  /** A metric that the run has to reach, likewise. */
  readonly minMetric?: Threshold | undefined;
  /** What the run is a part of: those who watch it show it there. */
  readonly partOf?: RunGroup | undefined;
  /** Runs the stages' programs; by default processes of this machine do. */
  readonly stages?: StageRunner | undefined;
  /** Opens the channel to an external trainer, once the settings are right; by default processes of this machine train. */
  readonly openTrainers?: () => Promise<TrainingPipe>;
}

/** Runs the whole job. @throws {FedbatchError} as `runJob` does */
export async function callPipeline(request: RunAsked, context: StageContext): Promise<RunResult> {
  const { asked, volume, jobs, threads, fresh, minAccuracy, minMetric, stages, labels, partOf } = request;
  const settings = await localSettings(request, (note) => context.reporter.info(note));
  // Loaded once the arguments are right: help and refusals are quick.
  const { runJob } = await import('./run.js');
  const { openWatchers } = await import('../observe/open-watchers.js');
  const trainers = await request.openTrainers?.();
  const options = {
    ...{
      settings,
      fresh,
      labels,
      minAccuracy,
      minMetric,
      stages,
      named: asked.named,
      version: packageVersion(),
      openWatchers: (watched: WatchContext) => openWatchers(asked.given, { ...watched, partOf }),
    },
    ...toleranceAsked(asked),
    keepRounds: asked.given['keeping.keepRounds'] as number | undefined,
    ...(volume === undefined ? {} : { volume }),
    ...(jobs === undefined ? {} : { jobs }),
    ...(threads === undefined ? {} : { threads }),
    ...(trainers === undefined ? {} : { trainers }),
  };
  return await runJob(options, context).finally(() => trainers?.close());
}

/**
 * The settings of a run on this machine.
 *
 * @param tell hears what the data decide by themselves
 * @throws {UsageError} when options contradict each other
 */
export async function localSettings(
  { asked: askedFor, openTrainers }: Pick<RunAsked, 'asked' | 'openTrainers'>,
  tell: Tell = () => undefined,
): Promise<RunSettings> {
  const asked = await withSchemeOfData(askedFor, tell);
  const { given, named } = asked;
  const { partition } = completeSettings([PARTITION], asked).federation;
  const isSimulated = given['federation.simulate'] === true;
  const deadline = given['tolerance.roundDeadline'];
  if (openTrainers !== undefined && (isSimulated || deadline !== undefined)) {
    // Nobody can stop a training that runs elsewhere: what is late would still write its update.
    const other = isSimulated ? 'federation.simulate' : 'tolerance.roundDeadline';
    throw new UsageError(
      `${named(other)} does not go with --trainers pipe, where somebody else runs the trainers.`,
    );
  }
  if (isSimulated && deadline !== undefined) {
    throw new UsageError(
      `${named('tolerance.roundDeadline')} ${deadline} does not go with ${named('federation.simulate')}, whose clients ` +
        'are never late.',
    );
  }
  const data = `${given['dataset.name'] ?? 'digits'}`;
  const clients = given['federation.clients'] as number | undefined;
  const found = {
    ...Object.fromEntries(filesIn((place) => given[place]).map(([place, file]) => [place, resolve(file)])),
    'federation.clients': await numberOfClients({ data, partition, asked: clients, named }),
  };
  return runSettings({ given: { ...given, ...found }, named });
}
