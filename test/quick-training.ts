/** Trains the clients of a run at once, for tests of what becomes of updates. */
import { readFile } from 'node:fs/promises';
import { readShard } from '../lib/formats/data/dataset.js';
import { sha256 } from '../lib/formats/files/read-file.js';
import { decodeKerasFile, writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { partsOf } from './datasets.js';
import type { Task } from './program-host.js';

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
