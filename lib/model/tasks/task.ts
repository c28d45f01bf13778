/** What is learned: the task that model, data and a loss that is asked for agree on, and the one place that says where they do not. */
import { DataError, type DataProblem } from '../../core/errors.js';
import { sizeOf } from '../../core/weights.js';
import { whyUnusable } from '../../federation/client-update.js';
import {
  countClasses,
  describeTargets,
  type ExampleTargets,
  labelsIn,
  type TargetKind,
  targetKind,
} from '../../federation/examples.js';
import { type LossSettings, writeLoss } from '../../federation/loss.js';
import type { TaskName } from '../../federation/metrics.js';
import type { ActivationName } from '../layers/activation.js';
import type { Layer } from '../layers/registry.js';
import { lastLayer, type Model, type ModelDescription } from '../model-description.js';
import { isActivation, planOperations } from '../operations.js';
import { classCount } from '../parameters.js';
import { defaultLoss, lossModule } from './losses.js';

type Fault = Pick<DataProblem, 'expected' | 'found' | 'mend'>;

/** What is learned, and by which loss. */
export interface Task {
  readonly name: TaskName;
  readonly loss: LossSettings;
  /** Numbers that the model puts out for each example. */
  readonly outputs: number;
  /** Where the loss comes from, in words. */
  readonly why: string;
}

/** Where a loss may be named: a setting wins over what a model was compiled with. */
export interface NamedLosses {
  readonly asked?: LossSettings | undefined;
  readonly compiled?: LossSettings | undefined;
}

/** What cures a model that ends in logits. */
const APPEND_SOFTMAX = 'keras.Sequential([*model.layers, keras.layers.Softmax()]).save("model.h5")';

/**
 * Makes sure that there is something to compute with, whatever the task: outputs in a row, and weights that are numbers.
 *
 * @param path the model's file, for errors
 * @throws {DataError} naming what is wrong
 */
export function requireUsable({ description, weights }: Model, path: string): void {
  const fail = (fault: Fault) => new DataError({ file: path, ...fault });
  if (description.layers.length === 0)
    throw fail({ expected: 'a model of some layers', found: 'a model without layers' });
  const outputs = classCount(description);
  if (outputs < 2 && lastActivation(description) === 'softmax')
    throw fail({ expected: 'a classifier of at least 2 classes', found: `one of ${outputs}` });
  const unusable = whyUnusable(weights);
  if (unusable !== null)
    throw fail({ expected: 'weights to compute with', found: `a model that ${unusable}` });
}

/** The activation at the end of a model: `linear` where there is none. */
function lastActivation(description: ModelDescription): ActivationName {
  const { operations, outputs } = planOperations(description);
  const last = operations.find(({ output }) => output === outputs[0])?.layer;
  return last?.kind === 'activation' ? last.activation : 'linear';
}

/** Which task a loss makes of so many outputs. */
function nameOf({ name }: LossSettings, outputs: number): TaskName {
  if (name === 'categorical_crossentropy') return 'classification';
  if (name !== 'binary_crossentropy') return 'regression';
  return outputs === 1 ? 'binary' : 'multi-label';
}

/** A model and its data, by the names of their files. */
interface TaskPlaces {
  readonly model: string;
  readonly data: string;
}

/**
 * The task of a model on data: by the loss that is asked for, else by that with which the model was compiled, else by
 * how the model ends.
 *
 * @throws {DataError} where model, loss and targets contradict each other, naming both sides
 */
export function taskOf(
  { description }: Pick<Model, 'description'>,
  targets: ExampleTargets,
  { asked, compiled, ...places }: NamedLosses & TaskPlaces,
): Task {
  const outputs = classCount(description);
  const { loss, why } = lossOf(description, { asked, compiled });
  const fault = lossFault(description, loss, { targets, data: places.data });
  if (fault !== undefined) throw new DataError({ file: places.model, ...fault });
  const name = nameOf(loss, outputs);
  const unfit = targetFault(name, outputs, targets);
  if (unfit !== undefined) throw new DataError({ file: places.data, ...unfit });
  return { name, loss, outputs, why };
}

/** The task of a model that is to answer, without data. */
export function servedTask(description: ModelDescription, named: NamedLosses = {}): Omit<Task, 'why'> {
  const { loss } = lossOf(description, named);
  const outputs = classCount(description);
  return { name: nameOf(loss, outputs), loss, outputs };
}

function lossOf(description: ModelDescription, { asked, compiled }: NamedLosses) {
  if (asked !== undefined) return { loss: asked, why: 'as asked for' };
  if (compiled !== undefined) return { loss: compiled, why: 'as the model was compiled' };
  return { loss: defaultLoss(description), why: `since the model ends in ${lastActivation(description)}` };
}

/** What is wrong with the end of a model for a loss. */
function lossFault(
  description: ModelDescription,
  loss: LossSettings,
  { targets, data }: { readonly targets: ExampleTargets; readonly data: string },
): Fault | undefined {
  const { logitsOf } = lossModule(loss);
  const end = lastActivation(description);
  const last = faultOfLast(lastLayer(description));
  if (logitsOf === undefined) {
    if (loss.name !== 'mse' || targetKind(targets) !== 'labels' || end !== 'linear') return undefined;
    if (classCount(description) < 2 && countClasses(labelsIn({ targets }) as Int32Array) > 2)
      return undefined;
    return { expected: `a classifier that ends in a softmax, for the labels of ${data}`, ...last };
  }
  if (loss.fromLogits) {
    if (end !== logitsOf) return undefined;
    return { expected: `logits, for the loss ${writeLoss(loss)}`, found: `a model that ends in ${end}` };
  }
  if (end === logitsOf) return undefined;
  return { expected: `a model that ends in a ${logitsOf}, for the loss ${writeLoss(loss)}`, ...last };
}

/** What is wrong with targets for a task. */
function targetFault(name: TaskName, outputs: number, targets: ExampleTargets): Fault | undefined {
  const kind = targetKind(targets);
  const size = sizeOf(targets.shape.slice(1));
  const labels = labelsIn({ targets });
  const found = describeTargets(targets);
  if (name === 'classification') {
    if (labels === undefined)
      return { expected: `labels, for a model that tells ${outputs} classes apart`, found };
    return highestFault(labels, outputs, `labels from 0 to ${outputs - 1}, the classes of the model`);
  }
  if (labels !== undefined) {
    if (outputs > 1)
      return { expected: `${outputs} numbers for each example, one for each output of the model`, found };
    return name === 'regression'
      ? undefined
      : highestFault(labels, 2, 'labels 0 and 1, for a model with one sigmoid');
  }
  if (size !== outputs) {
    const wanted = outputs === 1 ? 'a number for each example' : `${outputs} numbers for each example`;
    return { expected: `${wanted}, as many as the model has outputs`, found };
  }
  if (name === 'regression' || kind === 'multi-hot') return undefined;
  const stray = targets.values.find((value) => value < 0 || value > 1);
  if (stray === undefined) return undefined;
  return { expected: 'targets from 0 to 1, for a model that ends in a sigmoid', found: `${stray}` };
}

function highestFault(labels: Int32Array, classes: number, expected: string): Fault | undefined {
  const highest = countClasses(labels) - 1;
  return highest < classes ? undefined : { expected, found: `label ${highest}` };
}

function faultOfLast(last: Layer | undefined): Pick<Fault, 'found' | 'mend'> {
  if (last === undefined) return { found: 'a model without layers' };
  if (last.kind === 'foreign') return { found: last.reason };
  const activation = 'activation' in last ? last.activation : undefined;
  if (activation === 'linear' && !isActivation(last, 'linear'))
    return { found: `logits of the last layer, ${last.name}`, mend: APPEND_SOFTMAX };
  const kind = activation === undefined ? '' : ` with ${activation}`;
  return { found: `the last layer ${last.name}${kind}` };
}

/** How a new model has to end. */
export interface ModelHead {
  readonly outputs: number;
  readonly activation: ActivationName;
}

/** The end of a model that is made for targets, and for a loss where one is asked for; `classes` may be more than occur. */
export function headFor(
  targets: ExampleTargets,
  { asked, classes }: { readonly asked?: LossSettings | undefined; readonly classes?: number | undefined },
): ModelHead {
  const labels = labelsIn({ targets });
  const size = sizeOf(targets.shape.slice(1));
  const loss = asked?.name ?? lossOfKind(targetKind(targets));
  if (loss === 'categorical_crossentropy') {
    const outputs = classes ?? (labels === undefined ? size : countClasses(labels));
    return { outputs, activation: asked?.fromLogits ? 'linear' : 'softmax' };
  }
  const outputs = labels === undefined ? size : 1;
  if (loss === 'binary_crossentropy')
    return { outputs, activation: asked?.fromLogits ? 'linear' : 'sigmoid' };
  // A rate, which is above 0.
  return { outputs, activation: loss === 'poisson' ? 'exponential' : 'linear' };
}

function lossOfKind(kind: TargetKind): LossSettings['name'] {
  if (kind === 'numbers') return 'mse';
  return kind === 'labels' ? 'categorical_crossentropy' : 'binary_crossentropy';
}

/** Probabilities are sums of 32-bit exponentials. */
const SUM_TOLERANCE = 1e-3;

/** What is wrong with a model's answer to one example; undefined where it is what the task has. */
export function faultOf(
  output: Float32Array,
  { name, loss }: Pick<Task, 'name' | 'loss'>,
): Fault | undefined {
  const isProbability = name !== 'regression' && !loss.fromLogits;
  if (!output.every(Number.isFinite)) {
    const what = isProbability ? 'probabilities' : 'numbers';
    return { expected: `a model that predicts ${what}`, found: 'NaN or infinite ones' };
  }
  if (!isProbability || name !== 'classification') return undefined;
  const sum = output.reduce((total, share) => total + share, 0);
  if (Math.abs(sum - 1) < SUM_TOLERANCE) return undefined;
  return { expected: 'probabilities that sum to 1', found: `a sum of ${sum.toPrecision(4)}` };
}
