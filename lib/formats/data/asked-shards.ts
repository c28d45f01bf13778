/** Data that are split already ask for the partition scheme `given` by themselves. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { AskedSettings } from '../../settings/complete.js';
import { DATASET_NAMES } from '../../settings/parts/data.js';
import { SCHEME } from '../../settings/parts/partition.js';

/** The scheme that takes the shards as they are. */
const AS_THEY_ARE = 'given';

/** The same settings, and the scheme `given` where the dataset is a directory of shards and nobody asked for a scheme. */
export function withGivenShards(asked: AskedSettings): AskedSettings {
  const { given } = asked;
  const data = given['dataset.name'];
  if (given[SCHEME] !== undefined || typeof data !== 'string') return asked;
  // A dataset with a name is no path: a directory of that name is given as ./digits.
  if (DATASET_NAMES.includes(data) || !existsSync(join(data, '0.npz'))) return asked;
  return { ...asked, given: { ...given, [SCHEME]: AS_THEY_ARE } };
}
