/** A run's settings: its name, derived from them, and what differs between two runs. */
import { basename } from 'node:path';
import { STRATEGY_LABELS } from '../lib/cli/strategy-options.js';
import { sha256 } from '../lib/formats/files/read-file.js';
import type { RunSettings } from '../lib/formats/run-record.js';

/** The datasets that the splitter knows by name; anything else is a path. */
export const DATASET_NAMES: readonly string[] = ['digits', 'mnist'];

/** Characters of a dataset's name in a run's id, at most. */
const NAME_LENGTH = 24;

/**
 * The id of a run, e.g. `digits-3x2-1a2b3c4d` (dataset, clients × local epochs or steps, hash of all settings): the same
 * settings find the same volume again.
 */
export function runId(settings: RunSettings): string {
  const { dataset, federation, training } = settings;
  // The file's hash is left out: an id is needed before a dataset with a name is read.
  const identity = JSON.stringify(flatten({ ...settings, dataset: { ...dataset, sha256: undefined } }));
  const name = basename(dataset.name, '.npz')
    .replaceAll(/[^A-Za-z0-9_]+/g, '-')
    .slice(0, NAME_LENGTH);
  const work = training.epochs ?? `${training.localSteps}steps`;
  return `${name}-${federation.clients}x${work}-${sha256(identity).slice(0, 8)}`;
}

/** How users know a setting. */
const LABELS: Readonly<Record<string, string>> = {
  seed: '--seed',
  'dataset.name': '--data',
  'dataset.scale': '--scale',
  'dataset.sha256': 'sha256 of the dataset',
  'model.name': '--model',
  'engine.name': '--engine',
  'engine.backend': '--backend',
  'training.epochs': '--epochs',
  'training.localSteps': '--local-steps',
  'training.batch': '--batch',
  'training.optimizer': '--optimizer',
  'training.learningRate': '--learning-rate',
  'training.learningRateDecay': '--learning-rate-decay',
  'training.warmUpRounds': '--warm-up-rounds',
  'training.scaleLearningRate': '--scale-learning-rate',
  'training.momentum': '--momentum',
  'training.proximal': '--proximal',
  'federation.clients': '--clients',
  'federation.rounds': '--rounds',
  'federation.partition.scheme': '--partition',
  'federation.partition.piecesPerClient': '--pieces-per-client',
  'federation.partition.alpha': '--alpha',
  'federation.partition.labelsPerClient': '--labels-per-client',
  'federation.partition.key': '--key',
  'federation.partition.minExamples': '--min-examples',
  'federation.simulate': '--simulate',
  'federation.fraction': '--fraction',
  'federation.minClients': '--min-clients',
  ...STRATEGY_LABELS,
};

/** Why a run ends early: another answer to that leaves the rounds that are done as they are. */
const MAY_CHANGE: readonly string[] = ['federation.targetAccuracy', 'federation.patience'];

/** So does another number of rounds, unless the learning rate of each round depends on how many there will be. */
function mayChange({ training }: RunSettings): readonly string[] {
  return training.learningRateDecay === 'cosine' ? MAY_CHANGE : [...MAY_CHANGE, 'federation.rounds'];
}

/** What differs, a phrase each, e.g. `--epochs 2, now 3`; empty when each run's rounds begin with the other's. */
export function settingsDifferences(then: RunSettings, now: RunSettings): readonly string[] {
  const before = flatten(then);
  const after = flatten(now);
  // A file is known by what it holds, wherever it lies; only a dataset that has not been read is known by its name.
  const hashesKnown = then.dataset.sha256 !== undefined && now.dataset.sha256 !== undefined;
  const ignored = [hashesKnown ? 'dataset.name' : 'dataset.sha256', ...mayChange(now)];
  return Object.keys({ ...before, ...after })
    .filter((key) => !ignored.includes(key) && before[key] !== after[key])
    .map((key) => `${LABELS[key] ?? key} ${before[key] ?? 'not given'}, now ${after[key] ?? 'not given'}`);
}

/** The settings of a volume on which a run goes on under others of the same rounds: never fewer rounds than it holds. */
export function continuedSettings(then: RunSettings, now: RunSettings): RunSettings {
  const rounds = Math.max(then.federation.rounds, now.federation.rounds);
  return { ...then, federation: { ...now.federation, rounds } };
}

/** `{training: {epochs: 2}}` → `{'training.epochs': 2}`, keys sorted. */
function flatten(value: object, prefix = ''): Record<string, unknown> {
  const entries = Object.entries(value).flatMap(([key, inner]): [string, unknown][] =>
    typeof inner === 'object' && inner !== null
      ? Object.entries(flatten(inner, `${prefix}${key}.`))
      : [[prefix + key, inner]],
  );
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
