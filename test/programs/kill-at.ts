/**
 * Loaded before a program by `--import`: kills or halts it before one of its operations on files, for tests of what that
 * leaves. The variable FEDBATCH_TEST_KILL is JSON: `program` (how the path of the program ends), `path` (what the path of a
 * counted operation matches, as a regular expression), `before` (which of those operations never happens, from 1) and
 * `signal`.
 */
import fsPromises, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

/** Where a program is killed, or halted. */
export interface KillPoint {
  readonly program: string;
  readonly path: string;
  readonly before: number;
  readonly signal?: 'SIGKILL' | 'SIGSTOP';
}

const point = JSON.parse(process.env.FEDBATCH_TEST_KILL ?? '{"program":"none"}') as KillPoint;
if (process.argv[1]?.endsWith(point.program)) {
  const counted = new RegExp(point.path);
  let operations = 0;
  const before = (path: unknown) => {
    if (!counted.test(String(path))) return;
    operations += 1;
    if (operations === point.before) process.kill(process.pid, point.signal ?? 'SIGKILL');
  };
  const { link, open, rename, rm } = fsPromises;
  Object.assign(fsPromises, {
    link: (from: string, to: string) => {
      before(to);
      return link(from, to);
    },
    rename: (from: string, to: string) => {
      before(to);
      return rename(from, to);
    },
    rm: (path: string, options: object) => {
      before(path);
      return rm(path, options);
    },
    open: async (...args: Parameters<typeof open>): Promise<FileHandle> => {
      const handle = await open(...args);
      const sync = handle.sync.bind(handle);
      handle.sync = () => {
        before(args[0]);
        return sync();
      };
      return handle;
    },
  });
  syncBuiltinESMExports();
}
