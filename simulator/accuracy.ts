/** The accuracy test of a global model, its examples spread over the workers. */

import { noJudgements, type Summary, summarise, TEST_BATCH } from '../lib/engine/accuracy.js';
import { worstMistakes } from '../lib/engine/mistakes.js';
import { acrossClients } from '../lib/federation/across-clients.js';
import { exampleCount } from '../lib/federation/examples.js';
import {
  heldOutIndices,
  type VirtualShards,
  virtualClients,
} from '../lib/federation/partition/client-holdout.js';
import type { ClientTest } from '../lib/formats/accuracy-record.js';
import type { Task } from '../lib/model/tasks/task.js';
import type { Reporter } from '../lib/observability/events.js';
import type { RoundModel } from './round.js';
import type { ClientsTask, JudgeTask, SharedExamples } from './worker-messages.js';
import type { WorkerPool } from './worker-pool.js';

/** Examples of a task: whole batches, few enough to spread well. */
const TASK_SIZE = 10 * TEST_BATCH;

/** What is tested, on what, by whom. */
interface AccuracyTest {
  readonly global: RoundModel;
  readonly task: Task;
  readonly test: SharedExamples;
  readonly pool: WorkerPool;
  readonly reporter: Reporter;
}

/** The figures that the evaluator would find. @throws {DataError} when the model predicts no numbers */
export async function testAccuracy({ global, task, test, pool, reporter }: AccuracyTest): Promise<Summary> {
  const total = exampleCount(test.examples);
  const judgements = noJudgements(task, total);
  let done = 0;
  for await (const part of pool.inOrder(tasksOf({ global, task }, total))) {
    if (part.kind !== 'judged') throw new Error(`a worker answered a judge task with ${part.kind}`);
    for (const [at, { answers, losses, counted }] of part.judgements.entries()) {
      const whole = judgements[at];
      whole?.answers.set(answers, (done * whole.answers.length) / total);
      whole?.losses.set(losses, done);
      if (counted !== undefined) whole?.counted?.set(counted, (done * whole.counted.length) / total);
    }
    done += part.judgements[0]?.losses.length ?? 0;
    reporter.progress({ stage: 'evaluate', done, total, unit: 'examples' });
  }
  // Summed in the order of the examples, like the evaluator: the same last bits.
  const { targets } = test.examples;
  return { ...summarise(judgements, targets, task), ...worstMistakes(judgements, targets, task) };
}

/** Clients of a task: few enough to spread well. */
const CLIENTS_OF_TASK = 16;

/** What the evaluator would find on what each client holds out. */
export async function testEachClient({
  global: { path, model },
  shards,
  pool,
  reporter,
}: Omit<AccuracyTest, 'task' | 'test'> & { readonly shards: VirtualShards }) {
  const clients = Array.from({ length: virtualClients(shards) }, (_, client) => client).filter(
    (client) => heldOutIndices(shards, client).length > 0,
  );
  function* tasks(): Generator<ClientsTask> {
    for (let from = 0; from < clients.length; from += CLIENTS_OF_TASK)
      yield { kind: 'clients', file: path, model, clients: clients.slice(from, from + CLIENTS_OF_TASK) };
  }
  const perClient: (ClientTest & { readonly client: number })[] = [];
  for await (const part of pool.inOrder(tasks())) {
    if (part.kind !== 'tested') throw new Error(`a worker answered a test of clients with ${part.kind}`);
    for (const test of part.tests) perClient.push({ client: clients[perClient.length] as number, ...test });
    reporter.progress({ stage: 'evaluate', done: perClient.length, total: clients.length, unit: 'clients' });
  }
  return { acrossClients: acrossClients(perClient), perClient };
}

function* tasksOf(
  { global: { path, model }, task }: Pick<AccuracyTest, 'global' | 'task'>,
  total: number,
): Generator<JudgeTask> {
  for (let from = 0; from < total; from += TASK_SIZE) {
    const to = Math.min(total, from + TASK_SIZE);
    yield { kind: 'judge', file: path, model, task, from, to };
  }
}
