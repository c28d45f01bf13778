/** The task in a file of `--task`, read and checked: what is wrong with it is said before anything is trained. */
import { dirname, resolve } from 'node:path';
import { DataError, UsageError } from '../core/errors.js';
import { type AskedLoss, LOSS_NAMES, parseLoss, parseOutputLoss } from '../federation/loss.js';
import { isMetric, METRIC_NAMES } from '../federation/metrics.js';
import { readFileBytes, sha256, sha256OfFile } from '../formats/files/read-file.js';
import { KERAS_FILE } from '../formats/keras/keras-file.js';
import { MODEL_NAMES } from '../model/model-zoo.js';
import { COMPILED, OPTIMIZER_SETTINGS, type OptimizerFlags, TRAINING } from '../settings/parts/training.js';
import { settingOf } from '../settings/setting.js';
import { checkedValue, expectedOf } from '../settings/value-type.js';
import type { TaskDefinition, TaskModel } from './task-definition.js';
import { importTask } from './task-module.js';

/** A task, as it is used. */
export interface TaskFile {
  /** For messages. */
  readonly path: string;
  /** Of all that it is: its text, and the model's file where it names one. */
  readonly sha256: string;
  /** A path is seen from the working directory. */
  readonly model: TaskModel;
  readonly loss: AskedLoss | undefined;
  readonly optimizer: OptimizerFlags;
  /** Names, of which a model may have to say whether it has them. */
  readonly metrics: readonly string[] | undefined;
  readonly prepare: TaskDefinition['prepare'];
}

/** The fields of a task. */
const FIELDS = ['model', 'loss', 'metrics', 'prepare', ...OPTIMIZER_SETTINGS];

/**
 * Reads a task.
 *
 * @throws {DataError} when the file, or that of its model, is missing
 * @throws {UsageError} when it is no task, with what is wrong
 */
export async function readTask(path: string): Promise<TaskFile> {
  const bytes = await readFileBytes(path, 'a task (a module of TypeScript or JavaScript)');
  const { default: given, ...others } = await importTask(new TextDecoder().decode(bytes), path);
  if (!isObject(given)) {
    const names = Object.keys(others);
    const found =
      given === undefined ? `none${names.length === 0 ? '' : ` beside ${names.join(', ')}`}` : words(given);
    throw fault(path, 'a task as the default export (export default defineTask({ model: … }))', found);
  }
  const unknown = Object.keys(given).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined) throw fault(path, `a task of ${FIELDS.join(', ')}`, `"${unknown}"`);
  const { prepare } = given;
  if (prepare !== undefined && typeof prepare !== 'function')
    throw fault(path, 'prepare to be a function of examples', words(prepare));
  const model = modelOf(given.model, path);
  const text = sha256(bytes);
  return {
    path,
    // The bytes of a model that lies beside the task belong to it.
    sha256: typeof model === 'string' ? sha256(text + (await sha256OfFile(model, KERAS_FILE))) : text,
    model,
    loss: lossOf(given.loss, path),
    optimizer: optimizerOf(given, path),
    metrics: metricsOf(given.metrics, path),
    prepare: prepare as TaskDefinition['prepare'],
  };
}

/** What is asked for of a training, where a task says what flags do not. */
export function withTask<
  T extends { readonly loss?: AskedLoss | undefined; readonly optimizer: OptimizerFlags },
>(asked: T, task: TaskFile | undefined): T {
  const { loss = task?.loss, optimizer } = asked;
  // Another optimizer than the task's has settings of its own.
  const ofTask = optimizer.optimizer === undefined ? task?.optimizer : {};
  return { ...asked, loss, optimizer: { ...ofTask, ...optimizer } };
}

/**
 * Does what judges a task's model: what is wrong with it, or between it and what `prepare` makes of the examples at
 * `data`, is the task's own fault.
 */
export async function judgingTask<T>(
  task: TaskFile | undefined,
  data: string,
  work: () => T | Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (task === undefined || !(error instanceof DataError)) throw error;
    const { file, expected, found } = error.problem;
    if (file === task.path) throw new UsageError(error.message, { cause: error });
    if (file !== data || task.prepare === undefined) throw error;
    throw fault(task.path, `prepare to give ${expected}`, found);
  }
}

type Given = Readonly<Record<string, unknown>>;

function modelOf(model: unknown, path: string): TaskModel {
  if (typeof model === 'string') return resolve(dirname(path), model);
  const expected =
    'model to be a Keras config (sequentialModel, functionalModel), a model of fedbatch (zoo) or the path of a file';
  if (!isObject(model)) throw fault(path, expected, words(model));
  if (typeof model.class_name === 'string' && 'config' in model) return model as unknown as TaskModel;
  const { zoo, hidden, ...others } = model;
  const [other] = Object.keys(others);
  if (zoo === undefined || other !== undefined) throw fault(path, expected, `an object with ${list(model)}`);
  if (!MODEL_NAMES.some((name) => name === zoo))
    throw fault(path, `zoo to be one of ${MODEL_NAMES.join(', ')}`, words(zoo));
  const isUnits = (each: unknown) => Number.isSafeInteger(each) && Number(each) > 0;
  if (hidden !== undefined && !(Array.isArray(hidden) && hidden.length > 0 && hidden.every(isUnits)))
    throw fault(path, 'hidden to be a list of numbers of units, such as [64, 32]', words(hidden));
  return model as unknown as TaskModel;
}

function lossOf(loss: unknown, path: string): AskedLoss | undefined {
  if (loss === undefined) return undefined;
  const parsed = <T>(text: unknown, parse: (text: string) => T | undefined, what: string): T => {
    const found = typeof text === 'string' ? parse(text) : undefined;
    if (found !== undefined) return found;
    const all = LOSS_NAMES.join(', ');
    throw fault(path, `${what} to be one of ${all}, with parameters as in huber:delta=0.5`, words(text));
  };
  if (!isObject(loss)) return parsed(loss, parseLoss, 'loss');
  const outputs = Object.entries(loss).map(
    ([output, text]) => [output, parsed(text, parseOutputLoss, `loss of ${output}`)] as const,
  );
  if (outputs.length > 0) return { outputs: Object.fromEntries(outputs) };
  throw fault(path, 'loss to be a loss, or to have one for each output by its name', words(loss));
}

function metricsOf(metrics: unknown, path: string): readonly string[] | undefined {
  if (metrics === undefined) return undefined;
  const fail = (found: string) =>
    fault(path, `metrics to be a list of some of ${METRIC_NAMES.join(', ')}`, found);
  if (!Array.isArray(metrics) || metrics.length === 0) throw fail(words(metrics));
  return metrics.map((name: unknown, at) => {
    if (typeof name !== 'string' || !isMetric(name)) throw fail(words(name));
    if (metrics.indexOf(name) < at) throw fail(`${words(name)} twice`);
    return name;
  });
}

function optimizerOf(given: Given, path: string): OptimizerFlags {
  const fields = OPTIMIZER_SETTINGS.filter((name) => given[name] !== undefined).map((name) => {
    const { type } = settingOf(TRAINING, `training.${name}`);
    const value = checkedValue(type, given[name]);
    // That of a compiled model is what holds where nothing is said.
    if (value === undefined || value === COMPILED)
      throw fault(path, `${name} to be ${expectedOf(type)}`, words(given[name]));
    return [name, value];
  });
  return Object.fromEntries(fields);
}

const fault = (path: string, expected: string, found: string) =>
  new UsageError(`${path}: expected ${expected}, found ${found}.`);

const isObject = (value: unknown): value is Given =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const list = (value: object) => Object.keys(value).join(', ') || 'nothing in it';

/** A value in a few words. */
function words(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  if (isObject(value)) return `an object with ${list(value)}`;
  return value === undefined ? 'none' : (JSON.stringify(value) ?? typeof value).slice(0, 80);
}
