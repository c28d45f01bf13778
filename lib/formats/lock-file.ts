/** One process at a time on a volume or a download: a lock file that names its holder, and outlives no dead one for long. */
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { UsageError } from '../federation/errors.js';
import { errorCode } from './atomic-file.js';

/** Who holds a lock. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  /** Tells a process from a later one that was given the same number; absent where the system does not say. */
  readonly processStart?: string;
  readonly since: string;
}

/** A lock that is held until released. */
export interface Lock {
  /** Gives the lock back; works in an exit handler too. */
  release(): void;
}

/** What a lock guards, for the message to whoever finds it held. */
export interface Guarded {
  /** E.g. a directory. */
  readonly what: string;
  /** Who else may hold it, e.g. `run`. */
  readonly user: string;
}

/** So often another process may take over the same stale lock at the same moment before this one gives up. */
const ATTEMPTS = 5;

/**
 * Takes the lock file at `path`, also from a process of this host that is no more.
 *
 * @throws {UsageError} when a living process, or one of another host, holds it
 */
export async function takeLock(
  path: string,
  guarded: Guarded = { what: dirname(path), user: 'run' },
): Promise<Lock> {
  const start = processStart(process.pid);
  const self: Holder = {
    pid: process.pid,
    host: hostname(),
    ...(start === undefined ? {} : { processStart: start }),
    since: new Date().toISOString(),
  };
  await mkdir(dirname(path), { recursive: true });
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (await create(path, self)) return { release: () => release(path, self) };
    const holder = await readHolder(path);
    if (holder === undefined) continue;
    if (isAlive(holder)) throw new UsageError(heldMessage(path, holder, guarded));
    await removeStale(path, holder);
  }
  throw new UsageError(`${path}: others keep taking this lock; try again when they have ended.`);
}

/** Makes the lock with its content in one step, so that nobody reads an empty one; false when there is one. */
async function create(path: string, holder: Holder): Promise<boolean> {
  const temporary = `${path}-${randomBytes(4).toString('hex')}`;
  await writeFile(temporary, `${JSON.stringify(holder)}\n`);
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    // A file system without hard links: the content comes a moment after the file.
    return await writeFile(path, `${JSON.stringify(holder)}\n`, { flag: 'wx' }).then(
      () => true,
      (reason: unknown) => {
        if (errorCode(reason) === 'EEXIST') return false;
        throw reason;
      },
    );
  } finally {
    await rm(temporary, { force: true });
  }
}

/** The holder of the lock; undefined when it has just been released. */
async function readHolder(path: string): Promise<Holder | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Holder;
  } catch {
    // Not ours, or cut off by a full disk: nobody can be asked whether it still holds.
    return { pid: 0, host: hostname(), since: 'an unknown time' };
  }
}

/** Another process may see the same stale lock: whoever moves it away first wins; a new one moved by mistake returns. */
async function removeStale(path: string, stale: Holder): Promise<void> {
  const aside = `${path}-${randomBytes(4).toString('hex')}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  const moved = await readHolder(aside);
  if (moved !== undefined && JSON.stringify(moved) !== JSON.stringify(stale)) {
    await link(aside, path).catch(() => undefined);
  }
  await rm(aside, { force: true });
}

function release(path: string, self: Holder): void {
  try {
    if (readFileSync(path, 'utf8') === `${JSON.stringify(self)}\n`) rmSync(path);
  } catch {
    // Gone already: with the whole volume, say.
  }
}

function isAlive({ pid, host, processStart: start }: Holder): boolean {
  if (host !== hostname()) return true;
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (errorCode(error) === 'ESRCH') return false;
  }
  return start === undefined || processStart(pid) === start;
}

/** When a process began, in ticks since boot (Linux; undefined elsewhere, and for a process that has ended). */
function processStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field, the name in parentheses, may hold spaces; the third is the state, the 22nd the start time.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const hasEnded = fields[0] === 'Z' || fields[0] === 'X';
    return hasEnded ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function heldMessage(path: string, { pid, host, since }: Holder, { what, user }: Guarded): string {
  const where = host === hostname() ? `process ${pid}` : `process ${pid} on host ${host}`;
  const advice =
    host === hostname()
      ? 'wait for it to end, or stop it'
      : `if that process is no more, delete ${path} and run the command again`;
  return `${what} is in use by another ${user} (${where}, since ${since}): ${advice}.`;
}
