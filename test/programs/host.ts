/**
 * Runs programs one after the other in one process, for tests of what a program does and not of how it starts: what all of
 * them load is loaded once. Each request of the process that started it names a program, its arguments and where it runs.
 */
import { type CommandBuilder, runProgram } from '../../lib/cli/program.js';
import { builderOf } from '../programs.js';

/** A program to run. */
export interface HostRequest {
  readonly program: string;
  readonly args: readonly string[];
  readonly directory: string;
}

/** Runs a program with its output kept. */
async function runKept(build: CommandBuilder, args: readonly string[]) {
  const kept = { stdout: '', stderr: '' };
  const streams = ['stdout', 'stderr'] as const;
  const writes = streams.map((name) => process[name].write);
  for (const name of streams) {
    process[name].write = (chunk: string | Uint8Array) => {
      kept[name] += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
      return true;
    };
  }
  process.exitCode = undefined;
  try {
    await runProgram(build, args);
    return { exitCode: Number(process.exitCode ?? 0), ...kept };
  } finally {
    for (const [at, name] of streams.entries()) {
      process[name].write = writes[at] as typeof process.stdout.write;
      process[name].removeAllListeners('error');
    }
    process.exitCode = undefined;
    // A program lets go of it, so as to end.
    process.channel?.ref();
  }
}

let last: Promise<unknown> = Promise.resolve();
process.on('message', ({ program, args, directory }: HostRequest) => {
  last = last.then(async () => {
    process.chdir(directory);
    process.send?.(await runKept(await builderOf(program), args));
  });
});
process.on('disconnect', () => process.exit());
