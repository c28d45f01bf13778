/** Settings as callers of the library give them: nested as in run.json, as many as are given, checked by the table. */
import type { AskedSettings } from '../lib/settings/complete.js';
import { givenByDocument } from '../lib/settings/config-file.js';
import { byPlace, type SettingsPart } from '../lib/settings/setting.js';
import type { RunSettings } from '../lib/settings/table.js';

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

/** The settings of a run, as in run.json; what is left out has the default that docs/REFERENCE.md tells. */
export interface GivenRunSettings extends Given<Omit<RunSettings, 'strategy'>> {
  readonly strategy?: GivenStrategy | undefined;
  readonly tolerance?: ToleranceSettings | undefined;
}

/** How updates become the next global model; with `privacy.epsilon` in place of `noise`, the noise is found. */
export type GivenStrategy = Given<NonNullable<RunSettings['strategy']>> & {
  readonly privacy?: { readonly epsilon?: number | undefined } | undefined;
};

/**
 * What the options of a call ask for of some parts of the settings.
 *
 * @throws {UsageError} for what is no setting, and for a value that a setting does not take
 */
export function askedBy(options: object, parts: readonly SettingsPart[]): AskedSettings {
  const settings = parts.flatMap((each) => each.settings);
  const names = new Set(settings.map(({ place }) => place.split('.')[0]));
  const asked = Object.entries(options).filter(([name]) => names.has(name));
  return { given: givenByDocument(Object.fromEntries(asked), { settings }), named: byPlace };
}
