/**
 * One process at a time on a volume or a download: a lock file that names its holder, and that a dead one does not keep.
 *
 * Node has no flock, and a lock of the kernel is not passed on by every network file system; this one needs only what
 * POSIX and NFS promise: `link` makes a complete file appear under a name that nobody has, or fails.
 *
 * A holder's text holds a random number, so that no two are alike. The lock is a chain: `.lock`, then the file
 * `.lock-after-<hash of the texts of all before>`, and so on. The last of the chain holds the lock. Texts that a loss of
 * power has cut off may be alike, empty ones for example: since all before count, no name of the chain comes twice.
 *
 *   take     Walk the chain. Nothing there: link `.lock`. The last one lives: refused. The last one is dead: link its
 *            successor, then read `.lock` again; if its text is not that of the walk, the chain is gone: start over.
 *   release  Note which successors lie there, remove `.lock`, then the noted ones.
 *
 * Why there is never more than one holder. Call the time from the link of one `.lock` to its removal an epoch; its text
 * never comes again. (1) Within an epoch no successor in the chain is removed: a release removes `.lock` first, and then
 * only successors that lay there before, which belong to that epoch or to earlier ones; a taker removes its own only
 * after it saw that the epoch is over. (2) So within an epoch each text has one successor for good, whichever taker's
 * link came first. (3) A taker that reads the same `.lock` before its walk and after its link was in one epoch all the
 * time; by (2) what it walked was the chain, and it is now the last of it, behind dead ones only. (4) A later taker of
 * this epoch finds it by its walk and is refused while it lives; and the epoch ends only by its own release, since the
 * dead release nothing. A taker that is killed at any point leaves nothing, a temporary file, or a dead last one that
 * the next taker succeeds. An NFS request that the client sends twice answers "exists" for what it has made itself;
 * therefore what lies there decides, not the answer. `.lock` is unlinked, never replaced: an NFS client that opens it
 * by a remembered handle is told that it is stale.
 */
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { link, lstat, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isFedbatchError, StorageError, UsageError } from '../../core/errors.js';
import { errorCode } from '../../core/system-errors.js';
import { makeDirectory, storageError } from './atomic-file.js';
import {
  currentHolder,
  type Guarded,
  heldMessage,
  holderIn,
  isDead,
  lifeOf,
  lostMessage,
} from './lock-holder.js';
import { againIfStale, isAbsent, sha256 } from './read-file.js';

/** A lock that is held until released. */
export interface Lock {
  /**
   * Passes as long as this process holds it.
   *
   * @throws {UsageError} once it is lost: a user has removed the file, or somebody took this process for dead
   * @throws {StorageError} when the file system refuses to tell
   */
  requireHeld(): Promise<void>;
  /** Gives the lock back; works in an exit handler too. */
  release(): void;
}

/** So often the lock may change hands while this process looks at it before it gives up. */
const ATTEMPTS = 50;
const PAUSE_MS = 10;

/** Where a file system has no hard links, a name of the chain is a directory that came with this file in it. */
const INSIDE = 'holder';

/** What `link` answers where there are no hard links. */
const NO_LINKS: readonly string[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

/**
 * Takes the lock `file`, also from a process of this machine that is no more, or from a file that is no lock.
 *
 * @throws {UsageError} when a living process, or one of which nobody here can tell, holds it
 * @throws {StorageError} when the file system refuses
 */
export async function takeLock(
  file: string,
  guarded: Guarded = { what: dirname(file), user: 'run' },
): Promise<Lock> {
  const path = resolve(file);
  try {
    await makeDirectory(dirname(path));
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const lock = await tryLock(path, guarded);
      if (lock !== undefined) return lock;
      await sleep(PAUSE_MS);
    }
  } catch (error) {
    throw isFedbatchError(error) ? error : storageError(path, error);
  }
  throw new UsageError(`${path}: others keep taking this lock; try again when they have ended.`);
}

/** Who holds a lock, seen by somebody who does not want it. */
export interface HeldLock {
  readonly pid: number;
  readonly host: string;
  /** When it was taken (ISO 8601). */
  readonly since: string;
  /** Of a process elsewhere nobody here can tell. */
  readonly life: 'alive' | 'dead' | 'unknown';
}

/** Who holds the lock `file`; undefined where nobody does, or its text is cut off. */
export async function lockHolder(file: string): Promise<HeldLock | undefined> {
  const path = resolve(file);
  const head = await readText(path).catch(() => undefined);
  const holder = head === undefined ? undefined : holderIn(lastOf(await chainFrom(path, head)));
  if (holder === undefined) return undefined;
  const { pid, host, since } = holder;
  return { pid, host, since, life: lifeOf(holder) };
}

/** The texts of a chain, from that of `.lock` on. */
type Chain = readonly [head: string, ...others: string[]];

/** The chain that begins with `head`. */
async function chainFrom(path: string, head: string): Promise<Chain> {
  for (let chain: Chain = [head]; ; ) {
    const next = await readText(successor(path, chain));
    if (next === undefined) return chain;
    chain = [...chain, next];
  }
}

const lastOf = (chain: Chain): string => chain.at(-1) ?? '';

/** One walk of the chain; undefined when the lock changed hands meanwhile. */
async function tryLock(path: string, guarded: Guarded): Promise<Lock | undefined> {
  const text = `${JSON.stringify({ ...currentHolder(), nonce: randomBytes(16).toString('hex') })}\n`;
  const head = await readText(path);
  if (head === undefined) {
    return (await create(path, { path, text })) ? heldLock(path, { head: text, text, guarded }) : undefined;
  }
  const chain = await chainFrom(path, head);
  const holder = holderIn(lastOf(chain));
  if (holder !== undefined && !isDead(holder)) throw new UsageError(heldMessage(path, holder, guarded));
  const mine = successor(path, chain);
  if (!(await create(mine, { path, text }))) return undefined;
  if ((await readText(path)) === head) return heldLock(path, { head, text, guarded });
  await rm(mine, { force: true, recursive: true });
  return undefined;
}

/** The lock of whoever has `text` at the end of the chain that begins with `head`. */
function heldLock(
  path: string,
  { head, text, guarded }: { readonly head: string; readonly text: string; readonly guarded: Guarded },
): Lock {
  async function isHeld(): Promise<boolean> {
    try {
      const found = await readText(path);
      return found === head && lastOf(await chainFrom(path, found)) === text;
    } catch (error) {
      throw isFedbatchError(error) ? error : storageError(path, error);
    }
  }
  return {
    async requireHeld() {
      if (await isHeld()) return;
      throw new UsageError(lostMessage(path, guarded));
    },
    release: () => release(path, head),
  };
}

/** Where whoever comes after the last of a chain puts its own. */
function successor(path: string, chain: Chain): string {
  const hash = chain.reduce((before, text) => sha256(`${before}${text}`), '');
  return `${path}-after-${hash.slice(0, 32)}`;
}

const temporaryPrefix = (path: string) => `${path}-new-`;

const temporaryName = (path: string) => `${temporaryPrefix(path)}${randomBytes(8).toString('hex')}`;

/** Makes `name` with its text in one step, so that nobody reads a part of it; false when another one has it. */
async function create(
  name: string,
  { path, text }: { readonly path: string; readonly text: string },
): Promise<boolean> {
  const temporary = temporaryName(path);
  try {
    await writeFile(temporary, text, { flag: 'wx' });
    await link(temporary, name);
    return true;
  } catch (error) {
    const code = errorCode(error);
    if (NO_LINKS.includes(code)) return await createDirectory(name, { path, text });
    // ENOENT: a release took the temporary file for one that was left behind.
    if (code !== 'EEXIST' && code !== 'ENOENT') throw error;
    return (await readText(name)) === text;
  } finally {
    // Where it stays, the release removes it.
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}

/** The same without hard links: a directory is renamed only over none, or over an empty one. */
async function createDirectory(
  name: string,
  { path, text }: { readonly path: string; readonly text: string },
): Promise<boolean> {
  const temporary = temporaryName(path);
  try {
    await mkdir(temporary);
    await writeFile(join(temporary, INSIDE), text, { flag: 'wx' });
    await rename(temporary, name);
    return true;
  } catch (error) {
    if (!['EEXIST', 'ENOTEMPTY', 'ENOTDIR', 'ENOENT'].includes(errorCode(error))) throw error;
    return (await readText(name)) === text;
  } finally {
    await rm(temporary, { force: true, recursive: true }).catch(() => undefined);
  }
}

/** The text of a name in the chain; undefined when there is none. */
async function readText(name: string, isLast = false): Promise<string | undefined> {
  try {
    return await readLatest(name);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return await nothingUnlessLink(name);
    if (errorCode(error) !== 'EISDIR') throw error;
  }
  try {
    return await readLatest(join(name, INSIDE));
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
  // Released between the two, or nobody's lock.
  if (!isLast) return await readText(name, true);
  throw new StorageError(name, 'expected a lock file, found a directory: move it away.');
}

/** A link that leads nowhere cannot be read, and keeps its name from everybody. */
async function nothingUnlessLink(name: string): Promise<undefined> {
  const found = await lstat(name).catch(() => undefined);
  if (found?.isSymbolicLink() === true && (await isAbsent(name)))
    throw new StorageError(
      name,
      'expected a lock file, found a symbolic link that leads nowhere: remove it.',
    );
}

/** ESTALE: another machine has removed what this one had looked up, and looking again tells what is there now. */
const readLatest = (name: string): Promise<string> => againIfStale(() => readFile(name, 'utf8'));

/** Ends the epoch of `head`, if it is still that one: a user may have removed the file, and another may hold it now. */
function release(path: string, head: string): void {
  try {
    const left = readdirSync(dirname(path)).map((name) => join(dirname(path), name));
    const isDirectory = statSync(path).isDirectory();
    if (readFileSync(isDirectory ? join(path, INSIDE) : path, 'utf8') !== head) return;
    // First these: a second link of the lock's file, which a killed taker left, keeps an NFS client's old handle valid.
    removeAll(left.filter((name) => name.startsWith(temporaryPrefix(path))));
    const aside = temporaryName(path);
    if (isDirectory) renameSync(path, aside);
    else rmSync(path);
    removeAll([aside, ...left.filter((name) => name.startsWith(`${path}-after-`))]);
  } catch {
    // Gone already: with the whole volume, say.
  }
}

function removeAll(paths: readonly string[]): void {
  for (const path of paths) rmSync(path, { force: true, recursive: true });
}
