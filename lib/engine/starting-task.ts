/** What a model is trained or tested for: by the loss that is asked for, by what it was compiled with, and by the data. */
import { UsageError } from '../core/errors.js';
import type { Examples } from '../federation/examples.js';
import { LOSS_NAMES, type LossSettings, writeLoss } from '../federation/loss.js';
import type { KerasFile } from '../formats/keras/keras-file.js';
import type { Model } from '../model/model-description.js';
import { fitInputs } from '../model/model-input.js';
import { type Task, taskOf } from '../model/tasks/task.js';
import { readCompilation } from './keras-compilation.js';

/** A model and its file. */
interface StartingModel {
  readonly model: Pick<Model, 'description'>;
  readonly file: Pick<KerasFile, 'trainingConfig'>;
  readonly path: string;
}

/** What it is to learn from, and by which loss if one is asked for. */
interface Lesson {
  readonly examples: Examples;
  readonly data: string;
  readonly asked: LossSettings | undefined;
}

/**
 * The task of a model on examples, and these with their inputs in its order: the one check that every program makes.
 *
 * @throws {DataError} when they do not fit each other, or the loss; naming both sides
 * @throws {UsageError} when the model was compiled with a loss that is not known here, and none is asked for
 */
export function startingTask(
  { model, file, path }: StartingModel,
  { examples: given, data, asked }: Lesson,
): { readonly task: Task; readonly examples: Examples } {
  const examples = fitInputs(model, given, data);
  const compiled = compiledLoss({ file, path }, asked);
  const task = taskOf(model, examples.targets, { asked, compiled, model: path, data });
  return { task, examples };
}

/** The loss that a model was compiled with, where it was and none is asked for. */
export function compiledLoss(
  { file: { trainingConfig }, path }: Omit<StartingModel, 'model'>,
  asked?: LossSettings,
): LossSettings | undefined {
  if (trainingConfig === undefined || asked !== undefined) return undefined;
  const { loss } = readCompilation(trainingConfig, path);
  if (loss?.name !== 'unknown') return loss;
  throw new UsageError(
    `${path} was compiled with a loss that fedbatch does not have: ${loss.title}. Choose one of ${LOSS_NAMES.join(', ')} as the loss.`,
  );
}

/** What a reader is told of a task; nothing of the usual one. */
export function taskNotes({ name, loss, why }: Task): readonly string[] {
  const text = writeLoss(loss);
  return text === 'categorical_crossentropy' ? [] : [`${name} by the loss ${text}, ${why}`];
}
