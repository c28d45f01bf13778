/**
 * Who holds a lock, and whether that process is no more. Only of a process of this machine and of this process namespace
 * can that be told (or of an earlier boot of this machine); a lock of another machine or another container stays.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { errorCode } from '../../core/system-errors.js';
import { statOf } from '../../system/processes.js';

/** Who holds a lock. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  /** Tells a machine from another of the same name, and a boot from the one before; absent where the system does not say. */
  readonly machine?: string | undefined;
  readonly boot?: string | undefined;
  /** The namespace in which `pid` means something: each container has its own. */
  readonly pidSpace?: string | undefined;
  /** Tells a process from a later one that was given the same number. */
  readonly processStart?: string | undefined;
  readonly since: string;
}

/** What a lock guards, for the message to whoever finds it held. */
export interface Guarded {
  /** E.g. a directory. */
  readonly what: string;
  /** Who else may hold it, e.g. `run`. */
  readonly user: string;
}

/** This process, as a holder from now on. */
export function currentHolder(): Holder {
  return {
    pid: process.pid,
    host: hostname(),
    machine: textOf('/etc/machine-id'),
    boot: textOf('/proc/sys/kernel/random/boot_id'),
    pidSpace: orUndefined(() => readlinkSync('/proc/self/ns/pid')),
    processStart: processStart(process.pid),
    since: new Date().toISOString(),
  };
}

/** The holder that a text names; undefined where the file is not ours, or was cut off by a full disk. */
export function holderIn(text: string): Holder | undefined {
  const value: unknown = orUndefined(() => JSON.parse(text));
  if (typeof value !== 'object' || value === null) return undefined;
  const { pid, host, since } = value as Partial<Holder>;
  if (!Number.isSafeInteger(pid) || Number(pid) <= 0 || typeof host !== 'string') return undefined;
  return { ...value, pid: Number(pid), host, since: String(since ?? 'an unknown time') };
}

/** Where a holder is, seen from here: only of one that is `here` can this process tell whether it lives. */
function placeOf(holder: Holder): 'here' | 'earlier boot' | 'elsewhere' {
  const here = currentHolder();
  // What an earlier version, or another system, did not write is not compared.
  const differs = (key: 'machine' | 'boot' | 'pidSpace') =>
    holder[key] !== undefined && here[key] !== undefined && holder[key] !== here[key];
  if (holder.host !== here.host || differs('machine')) return 'elsewhere';
  // Without a machine's own number, another boot may be that of another machine of the same name.
  if (differs('boot'))
    return holder.machine !== undefined && here.machine !== undefined ? 'earlier boot' : 'elsewhere';
  return differs('pidSpace') ? 'elsewhere' : 'here';
}

/** Whether the holder lives, as far as can be told from here. */
export function lifeOf(holder: Holder): 'alive' | 'dead' | 'unknown' {
  if (isDead(holder)) return 'dead';
  return placeOf(holder) === 'here' ? 'alive' : 'unknown';
}

/** Whether the holder is known to be no more. */
export function isDead(holder: Holder): boolean {
  const place = placeOf(holder);
  if (place !== 'here') return place === 'earlier boot';
  const { pid, processStart: start } = holder;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Anything else, such as EPERM, says that there is such a process.
    if (errorCode(error) === 'ESRCH') return true;
  }
  return start !== undefined && processStart(pid) !== start;
}

/** When a process began, in ticks since boot (Linux; undefined elsewhere, and for a process that has ended). */
function processStart(pid: number): string | undefined {
  // The third field is the state, the 22nd the start time.
  const { 0: state, 19: start } = statOf(pid);
  return state === 'Z' || state === 'X' ? undefined : start;
}

/** The content of a small file of the system; undefined where there is none, or it is empty. */
function textOf(file: string): string | undefined {
  return orUndefined(() => readFileSync(file, 'utf8').trim() || undefined);
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** The sentence for whoever finds the lock held. */
export function heldMessage(path: string, holder: Holder, { what, user }: Guarded): string {
  const { pid, host, since } = holder;
  const isHere = placeOf(holder) === 'here';
  const where = isHere
    ? `process ${pid}`
    : `process ${pid} on host ${host}${host === hostname() ? ', in another container' : ''}`;
  const advice = isHere
    ? 'wait for it to end, or stop it'
    : `if that process is no more, delete ${path} and run the command again`;
  return `${what} is in use by another ${user} (${where}, since ${since}): ${advice}.`;
}

/** The sentence for whoever held it and finds it gone, or another's. */
export function lostMessage(path: string, { what, user }: Guarded): string {
  return (
    `${what} is no longer held by this ${user}: its lock ${path} was removed while it was at work. It writes nothing ` +
    `more there; what it has finished stays. Run the same command again when no other ${user} is at work.`
  );
}
