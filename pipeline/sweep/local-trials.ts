/**
 * Trials on this machine: each is the call that `fedbatch run` makes, on a volume of its own. Its stages are processes, so
 * that what a trial does cannot end the sweep, and its signal ends them.
 */
import { UsageError } from '../../lib/core/errors.js';
import { readRunRecord } from '../../lib/formats/run-record.js';
import { volumePaths } from '../../lib/formats/volume.js';
import type { GivenSettings } from '../../lib/settings/complete.js';
import { settingsDifferences } from '../../lib/settings/differences.js';
import { byPlace } from '../../lib/settings/setting.js';
import type { RunSettings } from '../../lib/settings/table.js';
import { availableCores } from '../../lib/system/hardware.js';
import type { RunGroup } from '../../observe/watcher.js';
import { type Axis, titleOf } from '../../sweep/axes.js';
import { type Trial, trialName } from '../../sweep/plan.js';
import { ranked } from '../../sweep/ranking.js';
import type { TrialRunner } from '../../sweep/run-sweep.js';
import { callPipeline } from '../call.js';
import { threadsOf } from '../local-run.js';
import { requireEngine, requirePossibleSplit } from '../preflight.js';
import type { StageContext, StageRunner } from '../rounds/target.js';
import { withHashes } from '../run.js';

/** How trials share the machine, and what they are called. */
export interface LocalTrials {
  /** The volume of a trial. */
  volume(id: string): string;
  readonly axes: readonly Axis[];
  /** Trials side by side. */
  readonly parallel: number;
  /** Trainers side by side, of each trial. */
  readonly jobs?: number | undefined;
  /** Threads of each trainer. */
  readonly threads?: number | undefined;
  readonly fresh: boolean;
  /** What all trials were asked for. */
  readonly given: GivenSettings;
  /** The sweep's record and its page. */
  readonly files: readonly string[];
  readonly tags?: readonly string[] | undefined;
  /** Runs the stages' programs; by default each is a process of this machine. */
  readonly stages?: StageRunner | undefined;
}

/** Runs trials here. */
export function localTrials(options: LocalTrials): TrialRunner {
  const { volume, axes, fresh, tags, stages, given, files } = options;
  let partOf: RunGroup | undefined;
  /** Files are read once, however many trials have them. */
  const hashed = new Map<string, Promise<RunSettings>>();
  return {
    async run(trial, context) {
      const directory = volume(trial.id);
      return await callPipeline(
        {
          ...{ asked: trial.asked, volume: directory, fresh, stages, partOf },
          labels: { name: trialName(trial, axes), tags },
          ...(await roomFor(trial, options)),
        },
        context,
      );
    },
    follow(record, { reporter }) {
      const { id, createdAt, trials } = record;
      const group = { kind: 'sweep', id, createdAt } as const;
      partOf = group;
      return async (state) => {
        const { tellGroupEnd } = await import('../../observe/open-watchers.js');
        const [best] = ranked(record);
        const { metric, mean } = best ?? {};
        const figures = metric === undefined || mean === undefined ? {} : { [`best.${metric}`]: mean };
        const facts = {
          trials: `${trials.length}`,
          ...(best?.state === 'finished' ? { best: titleOf(best.values, record.axes) } : {}),
        };
        await tellGroupEnd(given, { group, ending: { state, figures, facts, files }, reporter });
      };
    },
    async holds(trial) {
      const record = await readRunRecord(volumePaths(volume(trial.id)).run).catch(() => undefined);
      if (record === undefined) return false;
      const { dataset, model } = trial.settings;
      const key = JSON.stringify([dataset, model]);
      const files = hashed.get(key) ?? withHashes(trial.settings);
      hashed.set(key, files);
      const { dataset: data, model: start } = await files;
      const now = { ...trial.settings, dataset: data, model: start };
      return settingsDifferences(record.settings, now, byPlace).length === 0;
    },
  };
}

/**
 * Refuses what no trial could begin with: data that are none, a split that they do not allow, an engine that does not work.
 *
 * @throws {FedbatchError} as a run would
 */
export async function requirePossibleTrials(trials: readonly Trial[], context: StageContext): Promise<void> {
  const seen = new Set<string>();
  for (const { settings } of trials) {
    const { dataset, engine, federation, training, model } = settings;
    const { clients, partition } = federation;
    const key = JSON.stringify([dataset, engine, clients, partition, training.loss, model.task]);
    if (seen.has(key)) continue;
    seen.add(key);
    await requireEngine(engine, context);
    await requirePossibleSplit(settings);
  }
}

/** @throws {UsageError} where trials side by side are to listen on one port */
export function refuseSharedPort(trials: readonly Trial[], parallel: number): void {
  for (const { asked } of parallel > 1 ? trials : []) {
    const { 'watching.metricsPort': port = 0 } = asked.given;
    if (port === 0) continue;
    throw new UsageError(
      `${asked.named('watching.metricsPort')} ${port} is one port, and ${parallel} trials run side by side: give 0, which ` +
        `picks a free one for each, or ${asked.named('watching.pushgateway')}.`,
    );
  }
}

/** Trials side by side have a share of the cores each; a volume keeps the threads that it was begun with. */
async function roomFor(
  { id, settings }: Trial,
  { volume, parallel, jobs, threads, fresh }: LocalTrials,
): Promise<{ readonly jobs?: number | undefined; readonly threads?: number | undefined }> {
  if (parallel === 1) return { jobs, threads };
  const cores = Math.max(1, Math.floor(availableCores() / parallel));
  const recorded = fresh
    ? undefined
    : await readRunRecord(volumePaths(volume(id)).run).catch(() => undefined);
  const planned = threadsOf(settings, undefined, cores);
  const own = threads ?? recorded?.threads ?? planned;
  return {
    jobs: jobs ?? Math.max(1, Math.floor(cores / own)),
    threads: threads ?? (recorded === undefined ? planned : undefined),
  };
}
