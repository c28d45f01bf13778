/**
 * Loaded before a program by `--import`: files look to it as those of an NFS mount whose client remembers names as missing.
 * The variable FEDBATCH_TEST_MISSING is a regular expression: the paths that it matches are not there, and not listed,
 * until the program makes a file in their directory or one above it. Likewise FEDBATCH_TEST_STALE: each of these paths is
 * replaced twice while it is read, after which the server no longer knows what was open. test/nfs.slow.test.ts asks a real
 * client.
 */
import fsPromises, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, join, resolve } from 'node:path';

/** What statfs(2) says of NFS. */
const NFS = 0x6969;

const missing = new RegExp(process.env.FEDBATCH_TEST_MISSING ?? 'none at all');
const asked = new Set<string>();

const stale = new RegExp(process.env.FEDBATCH_TEST_STALE ?? 'none at all');
const TIMES_REPLACED = 2;
const replaced = new Map<string, number>();

/** Has reads of a file that was opened fail where another one has taken its place since. */
function replace(path: string, file: FileHandle): void {
  const times = replaced.get(path) ?? 0;
  if (!stale.test(path) || times === TIMES_REPLACED) return;
  replaced.set(path, times + 1);
  const fail = () =>
    Promise.reject(Object.assign(new Error('ESTALE: stale file handle'), { code: 'ESTALE' }));
  Object.assign(file, { read: fail, readFile: fail });
}

function isRemembered(path: unknown): boolean {
  const name = resolve(String(path));
  return missing.test(name) && ![...asked].some((directory) => name.startsWith(`${directory}/`));
}

function refuse(path: unknown): void {
  if (isRemembered(path))
    throw Object.assign(new Error(`ENOENT: no such file or directory, '${path}'`), { code: 'ENOENT' });
}

const { open, readdir, statfs } = fsPromises;
for (const name of ['access', 'link', 'readFile', 'realpath', 'stat'] as const) {
  const own = fsPromises[name] as (...args: readonly unknown[]) => Promise<unknown>;
  Object.assign(fsPromises, {
    [name]: async (path: unknown, ...rest: readonly unknown[]) => {
      refuse(path);
      return await own(path, ...rest);
    },
  });
}
Object.assign(fsPromises, {
  open: async (...args: Parameters<typeof open>) => {
    const [path, flags = 'r'] = args;
    if (!String(flags).includes('x')) refuse(path);
    const file = await open(...args);
    replace(resolve(String(path)), file);
    if (String(flags).includes('x')) asked.add(dirname(resolve(String(path))));
    return file;
  },
  readdir: async (path: string) => {
    refuse(path);
    return (await readdir(path)).filter((name) => !isRemembered(join(path, name)));
  },
  statfs: async (path: string) => ({ ...(await statfs(path)), type: NFS }),
});
syncBuiltinESMExports();
