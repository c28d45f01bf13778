/** From axes to trials: each a run with settings of its own, checked before any of them starts. */
import { UsageError } from '../lib/core/errors.js';
import { sha256 } from '../lib/formats/files/read-file.js';
import { runId } from '../lib/formats/runs/find-run.js';
import type { AskedSettings } from '../lib/settings/complete.js';
import type { RunSettings } from '../lib/settings/table.js';
import { checkedValue, RUN_NAME_TYPE } from '../lib/settings/value-type.js';
import { type Axis, SEED_PLACE, titleOf } from './axes.js';
import { type Configuration, configurationsOf, type Search, seedsOf } from './search.js';

/** One run of a sweep. */
export interface Trial {
  /** From 1. */
  readonly number: number;
  /** Id of its run. */
  readonly id: string;
  /** Values of the axes but for the seed, by place. */
  readonly values: Configuration;
  readonly asked: AskedSettings;
  readonly settings: RunSettings;
}

/** A sweep as asked for. */
export interface SweepPlan {
  /** Follows from the trials. */
  readonly id: string;
  readonly axes: readonly Axis[];
  readonly search: Search;
  readonly trials: readonly Trial[];
}

/** What is asked for of a sweep. */
interface PlanRequest {
  /** Of all trials alike. */
  readonly base: AskedSettings;
  readonly axes: readonly Axis[];
  readonly search: Search;
  /** The settings of a run as asked for; it refuses what does not go together. */
  settingsOf(asked: AskedSettings): Promise<RunSettings>;
}

/** @throws {UsageError} for settings of a trial that do not go together, and for trials that are the same run */
export async function planSweep({ base, axes, search, settingsOf }: PlanRequest): Promise<SweepPlan> {
  const { given, named } = base;
  const ownSeed = given[SEED_PLACE] as number | undefined;
  const configurations = configurationsOf(axes, { search, seed: ownSeed ?? 0 });
  const seeds = seedsOf(axes) ?? [ownSeed];
  const wanted = configurations.flatMap((values) => seeds.map((seed) => ({ values, seed })));
  const trials: Trial[] = [];
  const byId = new Map<string, Trial>();
  for (const [index, { values, seed }] of wanted.entries()) {
    const number = index + 1;
    const asked = { named, given: { ...given, ...values, ...(seed === undefined ? {} : { seed }) } };
    const settings = await settingsOf(asked).catch((cause: unknown) => {
      if (!(cause instanceof UsageError)) throw cause;
      throw new UsageError(`Trial ${number} (${titleOf(values, axes)}): ${cause.message}`, { cause });
    });
    const trial = { number, id: runId(settings), values, asked, settings };
    const same = byId.get(trial.id);
    if (same !== undefined) {
      throw new UsageError(
        `Trials ${same.number} (${titleOf(same.values, axes)}) and ${number} (${titleOf(values, axes)}) are the same run: leave one of them out.`,
      );
    }
    byId.set(trial.id, trial);
    trials.push(trial);
  }
  return { id: sweepId(trials), axes, search, trials };
}

/** What `fedbatch runs` calls a trial; nothing of its own where the values make too long a name. */
export function trialName({ values }: Pick<Trial, 'values'>, axes: readonly Axis[]): string | undefined {
  return checkedValue(RUN_NAME_TYPE, titleOf(values, axes)) as string | undefined;
}

/** E.g. `digits-9-1a2b3c4d`: dataset, number of trials, hash of what they are. */
function sweepId(trials: readonly Trial[]): string {
  const ids = trials.map(({ id }) => id);
  const [name = 'sweep'] = (ids[0] ?? '').split(/-\d+x/);
  return `${name}-${ids.length}-${sha256(JSON.stringify(ids.toSorted())).slice(0, 8)}`;
}
