/** What differs between the settings of two runs, and which of it a run may take up on its volume. */
import type { Naming } from './setting.js';
import { type RunSettings, SETTINGS } from './table.js';

/** What differs, a phrase each, e.g. `--epochs 2, now 3`; empty when each run's rounds begin with the other's. */
export function settingsDifferences(then: RunSettings, now: RunSettings, named: Naming): readonly string[] {
  const before = flatSettings(then);
  const after = flatSettings(now);
  // A file is known by what it holds, wherever it lies; only a dataset that has not been read is known by its name.
  const ofFiles = (part: 'dataset' | 'model', names: readonly string[]) =>
    then[part].sha256 !== undefined && now[part].sha256 !== undefined ? names : [`${part}.sha256`];
  const ignored = [
    ...ofFiles('dataset', ['dataset.name']),
    ...ofFiles('model', ['model.init', 'model.config', 'model.task']),
    ...mayChange(now),
  ];
  return Object.keys({ ...before, ...after })
    .filter((key) => !ignored.includes(key) && before[key] !== after[key])
    .map((key) => `${named(key)} ${before[key] ?? 'not given'}, now ${after[key] ?? 'not given'}`);
}

/** The settings of a volume on which a run goes on under others of the same rounds: never fewer rounds than it holds. */
export function continuedSettings(then: RunSettings, now: RunSettings): RunSettings {
  const rounds = Math.max(then.federation.rounds, now.federation.rounds);
  return { ...then, federation: { ...now.federation, rounds } };
}

/** `{training: {epochs: 2}}` → `{'training.epochs': 2}`, keys sorted. */
export function flatSettings(value: object, prefix = ''): Readonly<Record<string, unknown>> {
  const entries = Object.entries(value).flatMap(([key, inner]): [string, unknown][] =>
    typeof inner === 'object' && inner !== null
      ? Object.entries(flatSettings(inner, `${prefix}${key}.`))
      : [[prefix + key, inner]],
  );
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** When a run ends may change, but not the number of rounds that the learning rate of each one looks ahead to. */
function mayChange({ training }: RunSettings): readonly string[] {
  const places = SETTINGS.filter(({ affects }) => affects === 'end').map(({ place }) => place);
  return training.learningRateDecay === 'cosine'
    ? places.filter((place) => place !== 'federation.rounds')
    : places;
}
