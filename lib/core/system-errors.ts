/** Errors of the operating system: their names, what each means to a user, and which say nothing about the program. */
import { constants } from 'node:os';
import { own } from './own.js';

/** Why the system would not: rights, room, limits, the disk or what connects it. The same program may succeed elsewhere, or later. */
const REFUSALS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EBUSY: 'it is in use',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would exceed the size limit of this process or file system',
  EHOSTDOWN: 'the machine that holds it is down',
  EIO: 'the disk failed, or what connects it',
  ELOOP: 'its symbolic links lead in a circle',
  EMFILE: 'this process has as many files open as it may (ulimit -n)',
  EMLINK: 'the file system allows it no more names',
  ENAMETOOLONG: 'the path, or a name in it, is too long for the file system',
  ENFILE: 'this machine has as many files open as it can',
  ENODEV: 'the device is gone',
  ENOLCK: 'the file system has no more locks',
  ENOMEM: 'memory ran out',
  ENOSPC: 'the disk is full',
  ENOTCONN: 'the file system is no longer connected',
  ENXIO: 'the device is gone',
  EPERM: 'the operation is not permitted',
  EREMOTEIO: 'the machine that holds it failed',
  EROFS: 'the file system is read-only',
  ESTALE: 'the machine that holds it no longer knows the file, which was removed or replaced there',
  ETIMEDOUT: 'the machine that holds it does not answer',
  ETXTBSY: 'it is a program that is running',
};

/** What lies in the way, or does not lie there. */
const IN_THE_WAY: Readonly<Record<string, string>> = {
  EEXIST: 'a part of the path is a file, not a directory',
  EISDIR: 'the path is a directory',
  ENOENT: 'its directory does not exist and cannot be made',
  ENOTDIR: 'a part of the path is a file, not a directory',
  ENOTEMPTY: 'the directory is not empty',
};

/** Names by number: libuv has none for some, EDQUOT and ESTALE among them. */
const NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [-number, name]));

/** What Node calls a number that libuv has no name for: `fs.writeSync` the second, most others the first. */
const UNNAMED = /^(?:Unknown system error (?<number>-\d+)|UNKNOWN)$/;

/** The `code` of a Node system error, or an empty string. */
export function errorCode(error: unknown): string {
  if (!(error instanceof Error && 'code' in error && typeof error.code === 'string')) return '';
  const { code, errno } = error as NodeJS.ErrnoException & { code: string };
  const unnamed = UNNAMED.exec(code);
  // Where closing the file has failed as well, Node throws both as one error, which has the code alone.
  return (unnamed && NAMES.get(Number(errno ?? unnamed.groups?.number))) ?? code;
}

/** What a system error means to a user, with its name: `the disk is full (ENOSPC)`. */
export function systemReason(error: unknown): string {
  const code = errorCode(error);
  const words = own(REFUSALS, code) ?? own(IN_THE_WAY, code);
  if (words !== undefined) return `${words} (${code})`;
  const message = error instanceof Error ? error.message : String(error);
  return code === '' || message.includes(code) ? message : `${message} (${code})`;
}

/** Whether the system refused for a reason of its own: no fault of the program, and no word about what a file holds. */
export function isRefusal(error: unknown): error is Error {
  return Object.hasOwn(REFUSALS, errorCode(error));
}

/** A refusal that nobody has put into words: `mkdtemp of /tmp/fedbatch-XXXXXX: the disk is full (ENOSPC).` */
export function refusalSentence(error: Error): string {
  const { syscall, path } = error as NodeJS.ErrnoException;
  const what = [syscall, path].filter((each) => each !== undefined).join(' of ');
  return `${what === '' ? '' : `${what}: `}${systemReason(error)}.`;
}
