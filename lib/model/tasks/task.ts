/** What is learned: the task that model, data and a loss that is asked for agree on, and the one place that says where they do not. */
import { DataError, type DataProblem } from '../../core/errors.js';
import { formatShape, sizeOf } from '../../core/weights.js';
import { whyUnusable } from '../../federation/client-update.js';
import {
  countClasses,
  describeTargets,
  type Examples,
  type ExampleTargets,
  labelsOf,
  type TargetKind,
  targetKind,
} from '../../federation/examples.js';
import { type Losses, type LossSettings, type OutputLoss, writeLoss } from '../../federation/loss.js';
import type { TaskName } from '../../federation/metrics.js';
import type { ActivationName } from '../layers/activation.js';
import type { Layer } from '../layers/registry.js';
import { lastLayer, type Model, type ModelDescription, outputNames } from '../model-description.js';
import { isActivation, planOperations } from '../operations.js';
import { answerShapes, maskedOutputs } from '../parameters.js';
import { defaultLoss, lossModule } from './losses.js';

type Fault = Pick<DataProblem, 'expected' | 'found' | 'mend'>;

/** What is learned at one output of a model, and by which loss. */
export interface OutputTask {
  readonly name: TaskName;
  readonly loss: OutputLoss;
  /** Of what the model puts out for each example: `[outputs]`, or so many at each of several steps. */
  readonly shape: readonly number[];
  /** The output's name, as Keras has it. */
  readonly output: string;
  /** Where the loss comes from, in words. */
  readonly why: string;
  /** Whether a mask says which of its steps count. */
  readonly isMasked?: true;
}

/** What is learned: at each output of the model, in their order. */
export interface Task {
  readonly outputs: readonly [OutputTask, ...OutputTask[]];
  /** The metrics that are reported, as records call them, the one that leads first; by default all. */
  readonly metrics?: readonly string[] | undefined;
}

/** Numbers of an answer that belong together: classes, or what an output says of one step. */
export const widthOf = ({ shape }: Pick<OutputTask, 'shape'>): number => shape.at(-1) ?? 1;

/** Answers for each example: 1, or one for each of its steps. */
export const stepsOf = ({ shape }: Pick<OutputTask, 'shape'>): number => sizeOf(shape.slice(0, -1));

/** The losses of a task, as a training session takes them. */
export const lossesOf = ({ outputs: [only, ...others] }: Task): Losses =>
  others.length === 0 ? only.loss : [only, ...others].map(({ loss }) => loss);

/** Where a loss may be named: a setting wins over what a model was compiled with. */
interface NamedLosses {
  /** Of each output. */
  readonly asked?: readonly (OutputLoss | undefined)[] | undefined;
  readonly compiled?: readonly OutputLoss[] | undefined;
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
  for (const [at, shape] of answerShapes(description).entries()) {
    const outputs = widthOf({ shape });
    if (outputs < 2 && lastActivation(description, at) === 'softmax')
      throw fail({ expected: 'a classifier of at least 2 classes', found: `one of ${outputs}` });
  }
  const unusable = whyUnusable(weights);
  if (unusable !== null)
    throw fail({ expected: 'weights to compute with', found: `a model that ${unusable}` });
}

/** The activation at an output of a model: `linear` where there is none. */
function lastActivation(description: ModelDescription, at: number): ActivationName {
  const { operations, outputs } = planOperations(description);
  const last = operations.find(({ output }) => output === outputs[at])?.layer;
  return last?.kind === 'activation' && last.axis === undefined ? last.activation : 'linear';
}

/** Which task a loss makes of an output of so many numbers. */
function nameOf({ name }: LossSettings, outputs: number): TaskName {
  if (name === 'categorical_crossentropy') return 'classification';
  if (name !== 'binary_crossentropy') return 'regression';
  return outputs === 1 ? 'binary' : 'multi-label';
}

/** Targets, one for each output of a model in their order, and the files of both, for errors. */
interface TaskPlaces extends Pick<Examples, 'targets'> {
  readonly model: string;
  readonly data: string;
}

/** @throws {DataError} where model, loss and targets contradict each other, naming both sides */
export function requireTask(
  { description }: Pick<Model, 'description'>,
  task: Task,
  { targets, ...places }: TaskPlaces,
): void {
  for (const [at, output] of task.outputs.entries()) {
    const own = targets[at] as ExampleTargets;
    const of = (fault: Fault) =>
      targets.length === 1 ? fault : { ...fault, expected: `${fault.expected} (output ${output.output})` };
    const fault = lossFault(description, output, { at, targets: own, data: places.data });
    if (fault !== undefined) throw new DataError({ file: places.model, ...of(fault) });
    const unfit = targetFault(output, own);
    if (unfit !== undefined) throw new DataError({ file: places.data, ...of(unfit) });
  }
}

/**
 * The task of a model: by the loss that is asked for, else by that with which it was compiled, else by how it ends.
 * Whether it fits data, `requireTask` says.
 */
export function taskOf(description: ModelDescription, named: NamedLosses = {}): Task {
  const names = outputNames(description);
  const isMasked = maskedOutputs(description);
  const outputs = answerShapes(description).map((shape, at): OutputTask => {
    const { loss, why } = lossOf(description, at, named);
    const task = { name: nameOf(loss, widthOf({ shape })), loss, shape, output: names[at] as string, why };
    return isMasked[at] ? { ...task, isMasked: true } : task;
  });
  return { outputs: outputs as unknown as Task['outputs'] };
}

function lossOf(description: ModelDescription, at: number, { asked, compiled }: NamedLosses) {
  const wanted = asked?.[at];
  if (wanted !== undefined) return { loss: wanted, why: 'as asked for' };
  const own = compiled?.[at];
  if (own !== undefined) return { loss: own, why: 'as the model was compiled' };
  const end = lastActivation(description, at);
  return { loss: defaultLoss(description, at), why: `since the model ends in ${end}` };
}

/** An output of a model, and what it is to learn. */
interface OutputData {
  readonly at: number;
  readonly targets: ExampleTargets;
  /** The file of the targets. */
  readonly data: string;
}

/** What is wrong with the end of a model for a loss. */
function lossFault(
  description: ModelDescription,
  { loss, shape }: OutputTask,
  { at, targets, data }: OutputData,
): Fault | undefined {
  const { logitsOf } = lossModule(loss);
  const end = lastActivation(description, at);
  const last = faultOfLast(lastLayer(description, at));
  if (logitsOf === undefined) {
    const labels = labelsOf(targets);
    if (loss.name !== 'mse' || labels === undefined || end !== 'linear') return undefined;
    if (widthOf({ shape }) < 2 && countClasses(labels) > 2) return undefined;
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
function targetFault({ name, shape }: OutputTask, targets: ExampleTargets): Fault | undefined {
  const kind = targetKind(targets);
  const outputs = widthOf({ shape });
  const steps = shape.slice(0, -1);
  const labels = labelsOf(targets);
  const found = describeTargets(targets);
  const own = plainShape(targets.shape.slice(1));
  const each = steps.length === 0 ? 'each example' : `each of the steps ${formatShape(steps)} of an example`;
  if (name === 'classification') {
    if (labels === undefined || plainShape(steps) !== own) {
      const label = steps.length === 0 ? 'labels' : `a label for ${each}`;
      return { expected: `${label}, for a model that tells ${outputs} classes apart`, found };
    }
    return highestFault(labels, outputs, `labels from 0 to ${outputs - 1}, the classes of the model`);
  }
  const isShaped = plainShape(shape) === own;
  if (labels !== undefined) {
    if (!isShaped)
      return { expected: `${outputs} numbers for ${each}, one for each output of the model`, found };
    return name === 'regression'
      ? undefined
      : highestFault(labels, 2, 'labels 0 and 1, for a model with one sigmoid');
  }
  if (!isShaped) {
    const wanted = outputs === 1 ? `a number for ${each}` : `${outputs} numbers for ${each}`;
    return { expected: `${wanted}, as many as the model has outputs`, found };
  }
  if (name === 'regression' || kind === 'multi-hot') return undefined;
  const stray = targets.values.find((value) => value < 0 || value > 1);
  if (stray === undefined) return undefined;
  return { expected: 'targets from 0 to 1, for a model that ends in a sigmoid', found: `${stray}` };
}

/** A shape without extents of 1 at its end, which say nothing. */
const plainShape = (shape: readonly number[]): string =>
  formatShape(shape.slice(0, 1 + shape.findLastIndex((extent) => extent !== 1)));

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
interface ModelHead {
  readonly outputs: number;
  readonly activation: ActivationName;
}

/** The end of a model that is made for targets, and for a loss where one is asked for; `classes` may be more than occur. */
export function headFor(
  targets: ExampleTargets,
  { asked, classes }: { readonly asked?: LossSettings | undefined; readonly classes?: number | undefined },
): ModelHead {
  const labels = labelsOf(targets);
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
  { name, loss }: Pick<OutputTask, 'name' | 'loss'>,
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
