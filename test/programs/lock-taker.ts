/**
 * Takes one lock as its parent says, for tests of many takers: `take` answers how many of so many attempts at once got
 * it, `release` gives it back, `contend` takes and releases in turn until told to stop.
 *
 * As arguments: the lock's file, the number of the file system's operation before which this process kills itself (0:
 * none), and `no-links` for a file system without hard links.
 */

/**
 * Takes one lock as its parent says, for tests of many takers: `take` answers how many of so many attempts at once got
 * it, `release` gives it back, `contend` takes and releases in turn until told to stop.
 *
 * As arguments: the lock's file, the number of the file system's operation before which this process kills itself (0:
 * none), and `no-links` for a file system without hard links.
 */
import fs, { closeSync, openSync, unlinkSync } from 'node:fs';
import fsPromises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lock } from '../../lib/formats/files/lock-file.js';

/** What the parent asks, one at a time. */
export type Request = { readonly take: number } | 'release' | 'contend' | 'stop';

const [path = '', killBefore = '0', links] = process.argv.slice(2);

let operations = 0;
/** Counts what changes files, and what the lock reads; the sections of `contend` are not counted. */
function counted<A extends readonly unknown[], R>(operation: (...args: A) => R): (...args: A) => R {
  return (...args) => {
    operations += 1;
    if (operations === Number(killBefore)) process.kill(process.pid, 'SIGKILL');
    return operation(...args);
  };
}
const own = { closeSync, openSync, unlinkSync };
for (const name of ['link', 'mkdir', 'readFile', 'rename', 'rm', 'writeFile'] as const) {
  Object.assign(fsPromises, { [name]: counted(fsPromises[name] as (...args: unknown[]) => unknown) });
}
for (const name of ['renameSync', 'rmSync'] as const) {
  Object.assign(fs, { [name]: counted(fs[name] as (...args: unknown[]) => unknown) });
}
if (links === 'no-links') {
  const refused = () => Promise.reject(Object.assign(new Error('no links here'), { code: 'EPERM' }));
  Object.assign(fsPromises, { link: counted(refused) });
}
syncBuiltinESMExports();
const { takeLock } = await import('../../lib/formats/files/lock-file.js');

let held: readonly Lock[] = [];
let isContending = false;

process.on('message', async (request: Request) => {
  if (request === 'stop') {
    isContending = false;
  } else if (request === 'release') {
    for (const lock of held) lock.release();
    process.send?.(0);
  } else if (request === 'contend') {
    process.send?.(await contend());
  } else {
    const taken = await Promise.allSettled(Array.from({ length: request.take }, () => takeLock(path)));
    held = taken.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    process.send?.(held.length);
  }
});
process.on('disconnect', () => process.exit());
process.send?.('ready');

/** How often it held the lock. @throws when somebody else was inside at the same time */
async function contend(): Promise<number> {
  let times = 0;
  for (isContending = true; isContending; ) {
    const lock = await takeLock(path).catch(() => undefined);
    if (lock === undefined) {
      await sleep(1);
      continue;
    }
    own.closeSync(own.openSync(`${path}.inside`, 'wx'));
    await sleep(1);
    own.unlinkSync(`${path}.inside`);
    lock.release();
    times += 1;
  }
  return times;
}
