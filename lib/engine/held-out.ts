/** How a model does on what a client holds out: the figures alone, whatever else a whole accuracy test tells. */
import { DataError } from '../core/errors.js';
import { type Examples, exampleCount } from '../federation/examples.js';
import type { ClientTest, HeldOutTest } from '../formats/accuracy-record.js';
import type { Model } from '../model/model-description.js';
import type { Task } from '../model/tasks/task.js';
import { judge, summarise } from './accuracy.js';
import type { Engine, PredictSession } from './engine.js';

/** What a client holds out, as the model takes it, and the names of both for errors. */
export interface HeldOutPart {
  readonly examples: Examples;
  readonly task: Task;
  readonly model: string;
  readonly data: string;
  /** Examples per prediction, as in the accuracy test. */
  readonly batchSize?: number | undefined;
  readonly signal?: AbortSignal;
}

/** The figures on one client's part; of a model that answers with what are no numbers there is no loss and nothing else. */
export async function testHeldOut(session: PredictSession, part: HeldOutPart): Promise<ClientTest> {
  const { examples, task } = part;
  const options = { ...part, from: 0, to: exampleCount(examples) };
  try {
    const found = summarise(await judge(session, options), examples.targets, task);
    const {
      perClass: _,
      confusion: _confusion,
      confusions: _confusions,
      correct: _correct,
      ...figures
    } = found;
    return { ...figures, loss: Number.isFinite(figures.loss) ? figures.loss : null };
  } catch (error) {
    // A training that has diverged is the aggregator's to judge.
    if (error instanceof DataError) return { examples: options.to, loss: null };
    throw error;
  }
}

/** The same of a model that is compiled for it. */
export async function testModelOn(
  part: HeldOutPart,
  { engine, threads, ...model }: Model & { readonly engine: Engine; readonly threads: number },
): Promise<ClientTest> {
  const session = await engine.createPredictSession(model, { threads });
  try {
    return await testHeldOut(session, part);
  } finally {
    await session.dispose();
  }
}

/** What a client reports of both tests. */
export function heldOutTest(
  { examples, ...before }: ClientTest,
  { examples: _, ...after }: ClientTest,
): HeldOutTest {
  return { examples, before, after };
}
