/** The accuracy test: one model on held-out examples. */
import type { ProgramContext } from '../lib/cli/program.js';
import { sessionOf } from '../lib/core/errors.js';
import { type AccuracyReport, judge, summarise } from '../lib/engine/accuracy.js';
import { chooseEngine } from '../lib/engine/choose-engine.js';
import { worstMistakes } from '../lib/engine/mistakes.js';
import { readModelFile } from '../lib/engine/model-file.js';
import { prepareEngines } from '../lib/engine/native-environment.js';
import { taskNotes, testingTask } from '../lib/engine/starting-task.js';
import { exampleCount } from '../lib/federation/examples.js';
import type { AskedLoss } from '../lib/federation/loss.js';
import type { Tell } from '../lib/formats/data/dataset.js';
import { DATA_NOTE, TASK_NOTE } from '../lib/observability/events.js';
import type { EngineChoice } from '../lib/settings/parts/engine.js';
import { readPrepared } from '../lib/task-file/prepared-examples.js';
import type { TaskFile } from '../lib/task-file/read-task.js';

/** What to test on what. */
interface EvaluateOptions {
  /** The model (h5). */
  readonly model: string;
  /** The held-out examples: an npz with `x`, `y`, or a whole dataset, of which the test part is taken. */
  readonly data: string;
  /** Examples per prediction. */
  readonly batchSize?: number | undefined;
  readonly engine: EngineChoice;
  readonly threads: number;
  /** The loss that is asked for; by default that of the model, or what goes with the data. */
  readonly loss?: AskedLoss | undefined;
  /** Prepares the examples. */
  readonly task?: TaskFile | undefined;
  /** Whether the clients of the split that `data` belongs to are tested too, each on what it holds out. */
  readonly perClient?: boolean | undefined;
}

/**
 * Loss and accuracy of a model on held-out examples.
 *
 * @throws {DataError} when model or data are missing, damaged, or do not fit each other
 */
export async function evaluateModel(
  options: EvaluateOptions,
  context: ProgramContext,
): Promise<AccuracyReport> {
  const startedAt = performance.now();
  const { file, model, sha256 } = await readModelFile(options.model, { expected: 'a trained model (h5)' });
  const { task: ofFile, loss } = options;
  const read = async (path: string, part: 'train' | 'test', tell: Tell = () => undefined) => {
    const { examples, listed } = await readPrepared(path, { task: ofFile, loss }, { part, tell });
    const lesson = { examples, data: path, asked: loss, metrics: ofFile?.metrics, listed, tell };
    return testingTask({ model, file, path: options.model }, lesson);
  };
  const { task, examples } = await read(options.data, 'test', (note) =>
    context.reporter.info(note, DATA_NOTE),
  );
  for (const note of taskNotes(task)) context.reporter.info(note, TASK_NOTE);
  prepareEngines(options);
  const { engine, why } = await chooseEngine(options.engine, {
    description: model.description,
    signal: context.signal,
  });
  context.reporter.info(`testing on ${engine.name} (${why})`, { event: 'engine', engine: engine.name, why });
  const session = await sessionOf(options.model, engine.createPredictSession(model, options));
  const total = exampleCount(examples);
  const judgements = await judge(session, {
    ...options,
    examples,
    from: 0,
    to: total,
    task,
    signal: context.signal,
    onBatch: (done) => context.reporter.progress({ stage: 'evaluate', done, total, unit: 'examples' }),
  });
  // Loaded where it is asked for: most tests are of all examples together.
  const perClient = options.perClient
    ? await (await import('./per-client.js')).testPerClient(session, { ...options, read }, context)
    : {};
  await session.dispose();
  return {
    model: options.model,
    sha256,
    data: options.data,
    seconds: Math.round(performance.now() - startedAt) / 1000,
    ...summarise(judgements, examples.targets, task),
    ...worstMistakes(judgements, examples.targets, task),
    ...perClient,
  };
}
