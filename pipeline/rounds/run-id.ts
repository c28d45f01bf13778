/** The id of a run, which its settings give. */
import { basename } from 'node:path';
import { sha256 } from '../../lib/formats/files/read-file.js';
import { flatSettings } from '../../lib/settings/differences.js';
import type { RunSettings } from '../../lib/settings/table.js';

/** Characters of a dataset's name in a run's id, at most. */
const NAME_LENGTH = 24;

/**
 * The id of a run, e.g. `digits-3x2-1a2b3c4d` (dataset, clients × local epochs or steps, hash of all settings): the same
 * settings find the same volume again.
 */
export function runId(settings: RunSettings): string {
  const { dataset, federation, training } = settings;
  // The file's hash is left out: an id is needed before a dataset with a name is read.
  const identity = JSON.stringify(flatSettings({ ...settings, dataset: { ...dataset, sha256: undefined } }));
  const name = basename(dataset.name, '.npz')
    .replaceAll(/[^A-Za-z0-9_]+/g, '-')
    .slice(0, NAME_LENGTH);
  const work = training.epochs ?? `${training.localSteps}steps`;
  return `${name}-${federation.clients}x${work}-${sha256(identity).slice(0, 8)}`;
}
