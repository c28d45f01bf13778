/** Runs programs in one process that stays: for tests of what they do, where that each is a process is not the point. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { HostMessage, HostRequest, StruckStage } from './programs/host.js';
import type { Finished } from './programs.js';
import { requireResult } from './results.js';

const HOST = fileURLToPath(new URL('./programs/host.js', import.meta.url));

let host: ChildProcess | undefined;
let last: Promise<unknown> = Promise.resolve();

/** A client's training, as a run gives it away. */
export interface Task {
  readonly id: number;
  readonly client: number;
  readonly command: readonly string[];
}

/** Trains, and tells how that ended. */
export type Training = (task: Task) => Promise<object>;

/** How a command is run. */
interface HostOptions {
  /** Where. */
  readonly cwd?: string;
  /** Stages of a run that are processes once, which a signal strikes. */
  readonly struck?: readonly StruckStage[];
  /** Who trains the clients of a run in the place of trainers. */
  readonly train?: Training;
}

/**
 * Runs the command of `npx fedbatch` as the process of its own would: the same arguments, exit code and output. Those that
 * are asked for side by side run one after the other; the stages of `run` run in the same process.
 */
export function runCommand(
  program: string,
  args: readonly string[],
  { cwd = process.cwd(), struck = [], train }: HostOptions = {},
): Promise<Finished> {
  const request = { program, args, directory: cwd, struck, isTrainedOutside: train !== undefined };
  const ended = last.then(async () => {
    const finished = await ask(request, train);
    requireResult(program, args, finished);
    return finished;
  });
  last = ended.catch(() => undefined);
  return ended;
}

async function ask(request: HostRequest, train: Training | undefined): Promise<Finished> {
  host ??= fork(HOST, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const child = host;
  child.ref();
  child.channel?.ref();
  try {
    return await new Promise<Finished>((resolve, reject) => {
      child.on('message', (message: HostMessage) => {
        if ('task' in message) {
          train?.(message.task).then((ending) => child.send(ending), reject);
          return;
        }
        const { exitCode, stdout, stderr } = message.finished;
        resolve({ exitCode, stdout: withoutEnd(stdout), stderr: withoutEnd(stderr) });
      });
      child.once('exit', (code) => {
        host = undefined;
        reject(new Error(`${request.program} ended the process that ran it: ${code}`));
      });
      child.send(request);
    });
  } finally {
    child.removeAllListeners('message').removeAllListeners('exit');
    // It ends with this process, and does not keep it.
    child.unref();
    child.channel?.unref();
  }
}

/** As execa tells an output. */
const withoutEnd = (output: string) => output.replace(/\n$/, '');
