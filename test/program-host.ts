/** Runs programs in one process that stays: for tests of what they do, where that each is a process is not the point. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { HostRequest } from './programs/host.js';
import type { Finished } from './programs.js';

const HOST = fileURLToPath(new URL('./programs/host.js', import.meta.url));

let host: ChildProcess | undefined;
let last: Promise<unknown> = Promise.resolve();

/**
 * Runs the command of `npx fedbatch` as the process of its own would: the same arguments, exit code and output. Those that
 * are asked for side by side run one after the other.
 */
export function runCommand(
  program: string,
  args: readonly string[],
  { cwd = process.cwd() }: { readonly cwd?: string } = {},
): Promise<Finished> {
  const ended = last.then(() => ask({ program, args, directory: cwd }));
  last = ended.catch(() => undefined);
  return ended;
}

async function ask(request: HostRequest): Promise<Finished> {
  host ??= fork(HOST, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const child = host;
  const stop = new AbortController();
  child.ref();
  child.channel?.ref();
  try {
    child.send(request);
    const [answer] = await Promise.race([
      once(child, 'message', { signal: stop.signal }),
      once(child, 'exit', { signal: stop.signal }).then(([code]) => {
        host = undefined;
        throw new Error(`${request.program} ended the process that ran it: ${code}`);
      }),
    ]);
    const { exitCode, stdout, stderr } = answer as Finished;
    return { exitCode, stdout: withoutEnd(stdout), stderr: withoutEnd(stderr) };
  } finally {
    stop.abort();
    // It ends with this process, and does not keep it.
    child.unref();
    child.channel?.unref();
  }
}

/** As execa tells an output. */
const withoutEnd = (output: string) => output.replace(/\n$/, '');
