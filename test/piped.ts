/** Runs of `fedbatch run --trainers pipe`, with somebody else as the one who trains the clients. */

import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { readShard } from '../lib/formats/data/dataset.js';
import { sha256 } from '../lib/formats/files/read-file.js';
import { decodeKerasFile, writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { partsOf } from './datasets.js';
import { runCommand, type Task } from './program-host.js';
import { programPath } from './programs.js';
import { requireValid } from './results.js';
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

/** Of a task's command. */
function flagOf({ command }: Pick<Task, 'command'>, flag: string): string {
  return command[command.indexOf(flag) + 1] as string;
}

/**
 * What a client that trains well answers: the global model, a little off, as the update of `task`. Another `engine` comes
 * to other bytes.
 */
export async function trainALittle(task: Task, engine = 0): Promise<object> {
  const { id, client } = task;
  const global = await readFile(flagOf(task, '--init'));
  const model = await decodeKerasFile(global, 'the global model');
  const weights = model.weights.map((array) => ({
    ...array,
    values: array.values.map((value) => value * (1 + client / 1000 + engine / 1e6)),
  }));
  const examples = partsOf(await readShard(flagOf(task, '--data'))).labels.length;
  const update = { client, round: Number(flagOf(task, '--round')), examples, parent: sha256(global) };
  const hash = await writeKerasFile(flagOf(task, '--out'), { ...model, weights, update });
  const result = { ...update, seconds: 0, loss: 1, accuracy: 0.5, engine: 'by hand', sha256: hash };
  return { id, exitCode: 0, stdout: [JSON.stringify(result)], stderr: [] };
}
