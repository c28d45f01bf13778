/** What differs between the settings of two runs, and which of it a run may take up on its volume. */
import type { Naming } from './setting.js';
import { type RunSettings, SETTINGS } from './table.js';

/** A setting that not all of several runs have alike. */
export interface DifferingSetting {
  readonly place: string;
  /** Of each run; undefined where it has none. */
  readonly values: readonly unknown[];
}

/** The settings in which runs differ, by place. */
export function differingSettings(runs: readonly RunSettings[]): readonly DifferingSetting[] {
  const flat = runs.map((run) => flatSettings(run));
  // A file is known by what it holds, wherever it lies; only a dataset that has not been read is known by its name.
  const ofFiles = (part: 'dataset' | 'model', names: readonly string[]) =>
    runs.every((run) => run[part].sha256 !== undefined) ? names : [`${part}.sha256`];
  const ignored = [
    ...ofFiles('dataset', ['dataset.name']),
    ...ofFiles('model', ['model.init', 'model.config', 'model.task']),
  ];
  return Object.keys(Object.assign({}, ...flat))
    .filter((place) => !ignored.includes(place))
    .map((place) => ({ place, values: flat.map((each) => each[place]) }))
    .filter(({ values }) => values.some((value) => value !== values[0]));
}

/** What differs, a phrase each, e.g. `--epochs 2, now 3`; empty when each run's rounds begin with the other's. */
export function settingsDifferences(then: RunSettings, now: RunSettings, named: Naming): readonly string[] {
  const free = mayChange(now);
  return differingSettings([then, now])
    .filter(({ place }) => !free.includes(place))
    .map(({ place, values: [before, after] }) => {
      return `${named(place)} ${before ?? 'not given'}, now ${after ?? 'not given'}`;
    });
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
