/** File systems without hard links, as FAT and some shares are: `link` refuses. */
import fsPromises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

/** Does `work` where there are none. */
export async function withoutLinks<T>(work: () => Promise<T>): Promise<T> {
  const { link } = fsPromises;
  const refused = () => Promise.reject(Object.assign(new Error('no links here'), { code: 'EPERM' }));
  Object.assign(fsPromises, { link: refused });
  syncBuiltinESMExports();
  try {
    return await work();
  } finally {
    Object.assign(fsPromises, { link });
    syncBuiltinESMExports();
  }
}
