/** The accuracy test of a global model, its examples spread over the workers. */

import { type Summary, summarise, tallyJudgements } from '../lib/engine/accuracy.js';
import { classCount } from '../lib/model/parameters.js';
import type { Reporter } from '../lib/observability/events.js';
import type { RoundModel } from './round.js';
import type { JudgeTask, SharedExamples } from './worker-messages.js';
import type { WorkerPool } from './worker-pool.js';

/** Examples per prediction: the evaluator's own default, since the size of a batch can change the last bits. */
const BATCH_SIZE = 100;
/** Examples of a task: whole batches, few enough to spread well. */
const TASK_SIZE = 10 * BATCH_SIZE;

/** What is tested, on what, by whom. */
interface AccuracyTest {
  readonly global: RoundModel;
  readonly test: SharedExamples;
  readonly pool: WorkerPool;
  readonly reporter: Reporter;
}

/** The figures that the evaluator would find. @throws {DataError} when the model predicts no numbers */
export async function testAccuracy({ global, test, pool, reporter }: AccuracyTest): Promise<Summary> {
  const { labels } = test.examples;
  const total = labels.length;
  const predicted = new Int32Array(total);
  const losses = new Float64Array(total);
  let done = 0;
  for await (const part of pool.inOrder(tasksOf(global, total))) {
    if (part.kind !== 'judged') throw new Error(`a worker answered a judge task with ${part.kind}`);
    predicted.set(part.predicted, done);
    losses.set(part.losses, done);
    done += part.predicted.length;
    reporter.progress({ stage: 'evaluate', done, total, unit: 'examples' });
  }
  const classes = classCount(global.model.description);
  // Summed in the order of the examples, like the evaluator: the same last bits.
  return summarise(tallyJudgements({ predicted, losses }, labels, classes));
}

function* tasksOf({ path, model }: RoundModel, total: number): Generator<JudgeTask> {
  for (let from = 0; from < total; from += TASK_SIZE) {
    const to = Math.min(total, from + TASK_SIZE);
    yield { kind: 'judge', file: path, model, from, to, batchSize: BATCH_SIZE };
  }
}
