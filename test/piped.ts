/** Runs of `fedbatch run --trainers pipe`, with somebody else as the one who trains the clients. */
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { requireValid } from './json-schemas.js';
import { runCommand, type Task } from './program-host.js';
import { programPath } from './programs.js';
import type { ResultLine } from './runs.js';

/** Trains as asked, by the command that users have. */
async function trainForReal({ id, command: [name = '', ...args] }: Task): Promise<object> {
  const { exitCode, stdout, stderr } = await runCommand(name, args);
  return { id, exitCode, stdout: stdout.split('\n'), stderr: stderr.split('\n') };
}

/** Runs with `train` as the one who trains; the clients of each request are told in order. */
export async function pipedRun(volume: string, flags: readonly string[], train = trainForReal) {
  const args = [programPath('cli'), 'run', '--volume', volume, '--trainers', 'pipe', ...flags];
  const run = execa(process.execPath, args, { reject: false, stdin: 'pipe' });
  const requests: (readonly number[])[] = [];
  let result = '';
  for await (const line of createInterface({ input: run.stdout })) {
    const request = JSON.parse(line) as { readonly event?: string; readonly tasks: readonly Task[] };
    if (request.event !== 'train') result = line;
    else {
      requireValid('training-tasks', request);
      requests.push(request.tasks.map(({ client }) => client));
      const endings = await Promise.all(request.tasks.map(train));
      for (const ending of endings) {
        requireValid('training-ending', ending);
        run.stdin.write(`${JSON.stringify(ending)}\n`);
      }
    }
  }
  const { exitCode, stderr } = await run;
  return {
    exitCode,
    stderr,
    requests,
    result: result === '' ? undefined : (JSON.parse(result) as ResultLine),
  };
}
