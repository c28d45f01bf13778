/** What a model is trained or tested for: by the loss that is asked for, by what it was compiled with, and by the data. */
import { DataError, UsageError } from '../core/errors.js';
import { own } from '../core/own.js';
import type { Examples } from '../federation/examples.js';
import { type AskedLoss, LOSS_NAMES, type OutputLoss, writeLoss } from '../federation/loss.js';
import { metricsCalled, metricsThere, SEVERAL_OUTPUTS } from '../federation/metrics.js';
import type { KerasFile } from '../formats/keras/keras-file.js';
import type { Manifest } from '../formats/manifest.js';
import { scaleListed } from '../formats/manifest-facts.js';
import { type Model, outputNames } from '../model/model-description.js';
import { fitInputs, fitScale, fitTargets } from '../model/model-input.js';
import { requireTask, type Task, taskOf } from '../model/tasks/task.js';
import { readLosses } from './keras-compilation.js';

/** A model and its file. */
interface StartingModel {
  readonly model: Pick<Model, 'description'>;
  readonly file: Pick<KerasFile, 'trainingConfig' | 'metrics'>;
  readonly path: string;
}

/** What it is to learn from, and by which loss if one is asked for. */
interface Lesson {
  readonly examples: Examples;
  readonly data: string;
  readonly asked: AskedLoss | undefined;
  /** The metrics that a task's file names; by default those that the model's file does. */
  readonly metrics?: readonly string[] | undefined;
}

/**
 * The task of a model on examples, and these with their inputs in its order: the one check that every program makes.
 *
 * @throws {DataError} when they do not fit each other, or the loss; naming both sides
 * @throws {UsageError} when the model was compiled with a loss that is not known here, and none is asked for
 */
export function startingTask(
  { model, file, path }: StartingModel,
  { examples: given, data, asked, metrics = file.metrics }: Lesson,
): { readonly task: Task; readonly examples: Examples } {
  const found = modelTask({ model, file, path }, asked);
  const task = metrics === undefined ? found : { ...found, metrics: reportedMetrics(found, metrics, path) };
  const examples = fitTargets(task, fitInputs(model, given, data), data);
  requireTask(model, task, { targets: examples.targets, model: path, data });
  return { task, examples };
}

/** A lesson from a file: what else is known of it, and whom to tell what becomes of its scale. */
interface FileLesson extends Lesson {
  /** The manifest that lists it, where one does. */
  listed(): Promise<Manifest | undefined>;
  readonly tell: (note: string) => void;
}

/** What a model is tested on: as {@link startingTask}, the examples in the model's scale. @throws as that does */
export async function testingTask(
  start: StartingModel & { readonly file: Pick<KerasFile, 'scale'> },
  { listed, tell, ...lesson }: FileLesson,
): Promise<{ readonly task: Task; readonly examples: Examples }> {
  const { task, examples } = startingTask(start, lesson);
  const known = scaleListed(await listed());
  const { scale } = start.file;
  return { task, examples: fitScale(examples, { scale, path: lesson.data, known, tell }) };
}

/** What records call the metrics of these names. @throws {DataError} for one that the task has not */
function reportedMetrics({ outputs }: Task, names: readonly string[], path: string): readonly string[] {
  return names.flatMap((name) => {
    const called = metricsCalled(name, outputs);
    if (called.length > 0) return called;
    const [{ name: task }, ...others] = outputs;
    const what = others.length === 0 ? task : SEVERAL_OUTPUTS;
    const expected = `metrics of ${what} (${metricsThere(outputs).join(', ')})`;
    throw new DataError({ file: path, expected, found: `"${name}"` });
  });
}

/**
 * The task of a model by itself, whatever the data.
 *
 * @throws {UsageError} when the model was compiled with a loss that is not known here, and none is asked for; or when
 *   what is asked for is not for the outputs that it has
 */
export function modelTask({ model, file, path }: StartingModel, asked?: AskedLoss): Task {
  const outputs = outputNames(model.description);
  const given = askedLosses(asked, { outputs, path });
  return taskOf(model.description, {
    asked: given,
    compiled: compiledLosses({ file, path }, { outputs, given }),
  });
}

/** The losses that are asked for, output by output. @throws {UsageError} when the model has other outputs */
function askedLosses(
  asked: AskedLoss | undefined,
  { outputs, path }: { readonly outputs: readonly string[]; readonly path: string },
): readonly (OutputLoss | undefined)[] {
  if (asked === undefined) return outputs.map(() => undefined);
  const [first = '', second] = outputs;
  if ('name' in asked) {
    if (second === undefined) return [asked];
    const loss = writeLoss(asked);
    throw new UsageError(
      `The loss ${loss} is one, and ${path} has ${outputs.length} outputs (${outputs.join(', ')}): ` +
        `name them, as in ${first}=${loss},${second}=${loss}, or leave it out and compile the model with a loss for each.`,
    );
  }
  const stray = Object.keys(asked.outputs).filter((name) => !outputs.includes(name));
  if (stray.length === 0) return outputs.map((name) => own(asked.outputs, name));
  const found = second === undefined ? `one output, ${first}` : `the outputs ${outputs.join(', ')}`;
  throw new UsageError(`A loss is asked for at ${stray.join(', ')}, and ${path} has ${found}.`);
}

/** The losses that a model was compiled with, where it was and not all of its outputs have one that is asked for. */
function compiledLosses(
  { file: { trainingConfig }, path }: Omit<StartingModel, 'model'>,
  {
    outputs,
    given,
  }: { readonly outputs: readonly string[]; readonly given: readonly (OutputLoss | undefined)[] },
): readonly OutputLoss[] | undefined {
  if (trainingConfig === undefined || !given.includes(undefined)) return undefined;
  return readLosses(trainingConfig, { file: path, outputs, asked: given })?.map((loss) => {
    if (loss.name !== 'unknown') return loss;
    throw new UsageError(
      `${path} was compiled with a loss that fedbatch does not have: ${loss.title}. Choose one of ${LOSS_NAMES.join(', ')} as the loss.`,
    );
  });
}

/** What a reader is told of a task; nothing of the usual one. */
export function taskNotes({ outputs }: Task): readonly string[] {
  return outputs.flatMap(({ name, loss, why, output }) => {
    const text = writeLoss(loss);
    if (outputs.length === 1 && text === 'categorical_crossentropy') return [];
    const of = outputs.length === 1 ? '' : `output ${output}: `;
    const { weight = 1 } = loss;
    return [`${of}${name} by the loss ${text}${weight === 1 ? '' : ` times ${weight}`}, ${why}`];
  });
}
