/** Data that say whose their examples are ask for a partition scheme by themselves. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { AskedSettings } from '../../settings/complete.js';
import { DATASET_NAMES } from '../../settings/parts/data.js';
import { SCHEME } from '../../settings/parts/partition.js';
import type { Tell } from './dataset.js';

/** The scheme that takes the shards as they are. */
const AS_THEY_ARE = 'given';
/** The scheme that deals by a column, or an array, and the setting that names it. */
const BY_KEY = 'by-key';
const KEY = 'federation.partition.key';

/**
 * The same settings, with a scheme where the data tell of one and nobody asked for another: `given` for a directory of
 * shards; `by-key` for a description that names the column of the clients, unless a number of clients was asked for.
 *
 * @throws {DataError} for a description that cannot be read
 */
export async function withSchemeOfData(asked: AskedSettings, tell: Tell): Promise<AskedSettings> {
  const { given, named } = asked;
  const data = given['dataset.name'];
  const scheme = given[SCHEME];
  // A dataset with a name is no path: a directory of that name is given as ./digits.
  if (typeof data !== 'string' || DATASET_NAMES.includes(data)) return asked;
  if (/\.ya?ml$/i.test(data) && existsSync(data)) {
    if ((scheme !== undefined && scheme !== BY_KEY) || given[KEY] !== undefined) return asked;
    const { readDescription } = await import('../sources/description.js');
    const description = await readDescription(data);
    const client = description.kind === 'table' ? description.client : undefined;
    if (client === undefined) return asked;
    if (scheme === undefined && given['federation.clients'] !== undefined) {
      tell(
        `${data} names the column ${client} of the clients, which ${named('federation.clients')} overrules: without it, each ${client} is a client`,
      );
      return asked;
    }
    if (scheme === undefined)
      tell(
        `${data} names the column ${client} of the clients: each ${client} is one (${named(SCHEME)} ${BY_KEY})`,
      );
    return { ...asked, given: { ...given, [SCHEME]: BY_KEY, [KEY]: client } };
  }
  if (scheme !== undefined || !existsSync(join(data, '0.npz'))) return asked;
  return { ...asked, given: { ...given, [SCHEME]: AS_THEY_ARE } };
}
