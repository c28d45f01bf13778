/** Settings as callers of the library give them: nested as in run.json, as many as are given, checked by the table. */

import { FORMAT_NAMES } from '../export/format.js';
import { UsageError } from '../lib/core/errors.js';
import { MAX_TIMER_SECONDS } from '../lib/core/timers.js';
import { parseQuorum } from '../lib/federation/quorum.js';
import { MAX_SEEDS } from '../lib/formats/volume.js';
import type { AskedSettings } from '../lib/settings/complete.js';
import { givenByDocument, inWords } from '../lib/settings/config-file.js';
import { METRIC_TYPE } from '../lib/settings/parts/federation.js';
import { byPlace, type SettingsPart } from '../lib/settings/setting.js';
import type { RunSettings } from '../lib/settings/table.js';
import {
  checkedValue,
  choice,
  expectedOf,
  number,
  onOff,
  RUN_NAME_TYPE,
  RUN_TAG_TYPE,
  type RunLabels,
  type SettingValue,
  text,
  type ValueType,
  whole,
} from '../lib/settings/value-type.js';

/** Some of the fields of settings, at every level. */
export type Given<S> = S extends object ? { readonly [K in keyof S]?: Given<S[K]> | undefined } : S;

/** Failures that a run tolerates; nothing that its result depends on. */
export interface ToleranceSettings {
  /** Good updates that a round needs, `8` or `'80%'`; by default all, and the first client that fails ends the run. */
  readonly quorum?: number | string | undefined;
  /** Seconds after which clients of a round that are not done count as missing; any by default. */
  readonly roundDeadline?: number | undefined;
  /** How often a client whose training fails is retried; 1 by default. */
  readonly retries?: number | undefined;
}

/** What stays on the volume of a run; nothing that its result depends on. */
export interface KeepingSettings {
  /** So many of the last rounds keep their models and updates; all by default. */
  readonly keepRounds?: number | undefined;
}

/** Who hears of a run beside its records; nothing that its result depends on. */
export interface WatchingSettings {
  /** Address of an MLflow server, by default `MLFLOW_TRACKING_URI`; `'off'` for none. */
  readonly mlflow?: string | undefined;
  /** Experiment of that server, by default `MLFLOW_EXPERIMENT_NAME`, or fedbatch. */
  readonly mlflowExperiment?: string | undefined;
  /** A command that is started with the run and reads each event on its stdin as a line of JSON. */
  readonly onEvent?: string | undefined;
}

/** The settings of a run, as in run.json; what is left out has the default that docs/REFERENCE.md tells. */
export interface GivenRunSettings extends Given<Omit<RunSettings, 'strategy'>> {
  readonly strategy?: GivenStrategy | undefined;
  readonly tolerance?: ToleranceSettings | undefined;
  readonly watching?: WatchingSettings | undefined;
  readonly keeping?: KeepingSettings | undefined;
}

/** How updates become the next global model; with `privacy.epsilon` in place of `noise`, the noise is found. */
export type GivenStrategy = Given<NonNullable<RunSettings['strategy']>> & {
  readonly privacy?: { readonly epsilon?: number | undefined } | undefined;
};

const path = text('a path');
const natural = whole({ min: 1 });

/** The values of options beside settings: what is wrong about them is told here, not by a program far below. */
const OPTION_TYPES: Readonly<Record<string, ValueType>> = {
  ...{
    retries: whole(),
    timeoutSeconds: number({ above: 0, max: MAX_TIMER_SECONDS }),
    startTimeoutSeconds: number({ above: 0 }),
  },
  ...{
    volume: path,
    out: path,
    data: path,
    init: path,
    task: path,
    clientTest: path,
    parent: path,
    manifest: path,
    reported: path,
  },
  ...{ stateIn: path, stateOut: path, dpNoiseFile: path, model: path },
  ...{ jobs: natural, round: natural, batch: natural, minUpdates: natural },
  ...{ dpParticipants: natural, dpPopulation: natural },
  ...{ threads: whole({ min: 1, max: 1024 }), client: whole(), classes: whole({ min: 2 }) },
  ...{ to: choice(FORMAT_NAMES), output: path, python: path, card: onOff },
  seeds: whole({ min: 2, max: MAX_SEEDS }),
  minMetric: METRIC_TYPE,
  quorum: text('a number of clients (8) or a share (80%)', (given) =>
    parseQuorum(given) ? given : undefined,
  ),
  perClient: onOff,
  ...{ minAccuracy: number({ min: 0, max: 1 }), testFraction: number({ above: 0, below: 1 }) },
};

/** The options of a call beside settings, `signal` and `reporter`; `needs` are those that it cannot do without. */
export interface OwnOptions {
  readonly takes: readonly string[];
  readonly needs?: readonly string[];
}

/**
 * What the options of a call ask for of some parts of the settings.
 *
 * @throws {UsageError} for what is no option and no setting, and for a value that one does not take
 */
export function askedBy(
  options: object,
  parts: readonly SettingsPart[],
  { takes, needs = [] }: OwnOptions,
): AskedSettings {
  const settings = parts.flatMap((each) => each.settings);
  const given: Readonly<Record<string, unknown>> = { ...options };
  for (const name of takes) {
    const { [name]: type } = OPTION_TYPES;
    const value = given[name];
    if (value === undefined && !needs.includes(name)) continue;
    if (type !== undefined) checkedOption(name, type, value);
  }
  const own = new Set([...takes, 'signal', 'reporter']);
  const asked = Object.entries(given).filter(([name]) => !own.has(name));
  return { given: givenByDocument(Object.fromEntries(asked), { settings }), named: byPlace };
}

/** The value of an option, as settings hold it. @throws {UsageError} where it is none */
export function checkedOption(name: string, type: ValueType, value: unknown): SettingValue {
  const checked = checkedValue(type, value);
  if (checked !== undefined) return checked;
  throw new UsageError(`${name}: expected ${expectedOf(type)}, found ${inWords(value)}.`);
}

/** Name and tags of a run. @throws {UsageError} for what is no name, and no list of tags */
export function runLabelsOf({ name, tags }: { readonly name?: unknown; readonly tags?: unknown }): RunLabels {
  const checked = (option: string, type: ValueType, value: unknown) =>
    checkedOption(option, type, value) as string;
  if (tags !== undefined && !Array.isArray(tags)) {
    throw new UsageError(`tags: expected a list of words, found ${inWords(tags)}.`);
  }
  return {
    ...(name === undefined ? {} : { name: checked('name', RUN_NAME_TYPE, name) }),
    ...(tags === undefined ? {} : { tags: tags.map((tag: unknown) => checked('tags', RUN_TAG_TYPE, tag)) }),
  };
}
