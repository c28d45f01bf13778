/** The accuracy test proper: what a model says of each held-out example, how far off that is, and the figures of it. */
import { DataError } from '../core/errors.js';
import { type Examples, labelsOf, type NamedTargets } from '../federation/examples.js';
import { type MetricValues, metricOf, SEVERAL_OUTPUTS } from '../federation/metrics.js';
import type { AccuracyRecord } from '../formats/accuracy-record.js';
import { type Confusion, confusionRecord, MOST_DENSE_CLASSES } from '../formats/confusions.js';
import { batchInputs } from '../model/model-input.js';
import { lossModule } from '../model/tasks/losses.js';
import { answerSize, keepAnswer, metricsOf } from '../model/tasks/metrics.js';
import { faultOf, type OutputTask, stepsOf, type Task, widthOf } from '../model/tasks/task.js';
import { releaseMemory } from '../system/memory.js';
import type { CountedAnswers, PredictSession } from './engine.js';

/** What a model said of some examples at one of its outputs, in their order. */
interface OutputJudgements {
  /** What is kept of each answer, as many numbers as the task says. */
  readonly answers: Float32Array;
  /** The loss of each example. */
  readonly losses: Float64Array;
  /** Which answers count, 1 or 0 for each step of each example, where a mask says so. */
  readonly counted?: Uint8Array;
}

/** What a model said of some examples, output by output. */
export type Judgements = readonly OutputJudgements[];

/** Examples per prediction, as `evaluate --batch` has it by default: their number can change the last bits. */
export const TEST_BATCH = 100;

/** Which examples a model is asked about. */
interface JudgeOptions {
  readonly examples: Examples;
  readonly task: Task;
  /** The first example, and the one after the last. */
  readonly from: number;
  readonly to: number;
  /** Examples per prediction; {@link TEST_BATCH} by default. */
  readonly batchSize?: number | undefined;
  /** Files of the model and of the examples, for errors. */
  readonly model: string;
  readonly data: string;
  readonly signal?: AbortSignal;
  /** Called after every prediction with the number of examples done. */
  readonly onBatch?: (done: number) => void;
}

/**
 * Asks a model about examples, batch by batch.
 *
 * @throws {DataError} when it answers with what the task has not
 */
export async function judge(session: PredictSession, options: JudgeOptions): Promise<Judgements> {
  const { examples, task, from, to, batchSize = TEST_BATCH, signal, onBatch } = options;
  const judgements = noJudgements(task, to - from);
  for (let start = from; start < to; start += batchSize) {
    signal?.throwIfAborted();
    const picks = Uint32Array.from({ length: Math.min(batchSize, to - start) }, (_, at) => start + at);
    const inputs = batchInputs(examples, picks);
    const found = await answersTo(session, inputs, picks.length);
    for (const [at, output] of task.outputs.entries()) {
      const targets = examples.targets[at] as NamedTargets;
      const part = { targets, from: start - from, first: start, count: picks.length };
      const into = judgements[at] as OutputJudgements;
      judgeOutput(output, found[at] as CountedAnswers, { ...options, ...part, into });
    }
    releaseMemory(...inputs);
    onBatch?.(start + picks.length - from);
  }
  return judgements;
}

async function answersTo(
  session: PredictSession,
  inputs: readonly Float32Array[],
  count: number,
): Promise<readonly CountedAnswers[]> {
  if (session.predictCounted !== undefined) return session.predictCounted(inputs, count);
  return (await session.predict(inputs, count)).map((answers) => ({ answers }));
}

/** Room for what a model says of so many examples. */
export function noJudgements({ outputs }: Task, examples: number): Judgements {
  return outputs.map((output) => ({
    answers: new Float32Array(examples * stepsOf(output) * answerSize(output)),
    losses: new Float64Array(examples),
    ...(output.isMasked ? { counted: new Uint8Array(examples * stepsOf(output)) } : {}),
  }));
}

/** What a model said at one output of `count` examples. */
interface OutputJudging extends Pick<JudgeOptions, 'model' | 'data'> {
  readonly targets: NamedTargets;
  /** The first of them among all, and among those that are judged. */
  readonly first: number;
  readonly from: number;
  readonly count: number;
  readonly into: OutputJudgements;
}

/** Step by step, where there are several; the loss of an example is the mean over its steps. */
function judgeOutput(
  task: OutputTask,
  { answers, counted }: CountedAnswers,
  { targets, first, from, count, model, data, into }: OutputJudging,
): void {
  const { loss } = task;
  const [outputs, steps] = [widthOf(task), stepsOf(task)];
  const module = lossModule(loss);
  const size = module.targets === 'labels' ? 1 : outputs;
  for (let row = 0; row < count * steps; row++) {
    if (counted?.[row] === 0) continue;
    if (into.counted !== undefined) into.counted[from * steps + row] = 1;
    const output = answers.subarray(row * outputs, (row + 1) * outputs);
    const fault = faultOf(output, task);
    const example = Math.floor(row / steps);
    if (fault !== undefined) {
      const said = `${fault.found} for example ${first + example} of ${data}`;
      throw new DataError({ ...fault, file: model, found: said });
    }
    const place = first * steps + row;
    const target = targets.values.subarray(place * size, (place + 1) * size);
    keepAnswer(task, output, { target, answers: into.answers, row: from * steps + row });
    into.losses[from + example] =
      (into.losses[from + example] as number) + module.ofExample(output, target, loss) / steps;
  }
}

/** The result of an accuracy test. */
export interface AccuracyReport extends Readonly<AccuracyRecord> {
  readonly seconds: number;
  /** Mean cross-entropy; in the file null where it is not finite. */
  readonly loss: number;
}

/** The figures of an accuracy test, without what was tested. */
export type Summary = Omit<AccuracyReport, 'model' | 'sha256' | 'data' | 'seconds'>;

/** The figures over all examples, whose targets are `targets`. */
export function summarise(judgements: Judgements, targets: Examples['targets'], task: Task): Summary {
  const summary = summariseAll(judgements, targets, task);
  const { metrics: names } = task;
  if (names === undefined) return summary;
  const found = summary.metrics ?? {};
  const metrics = Object.fromEntries(
    names.flatMap((name) => {
      const value = found[name];
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
  return { ...summary, metrics, leads: names[0] };
}

function summariseAll(judgements: Judgements, targets: Examples['targets'], task: Task): Summary {
  const each = task.outputs.map((output, at) =>
    summariseOutput(judgements[at] as OutputJudgements, targets[at] as NamedTargets, output),
  );
  const [only, ...others] = each as [Summary, ...Summary[]];
  if (others.length === 0) return only;
  const metrics = each.flatMap(({ loss, metrics = {} }, at) => {
    const { output } = task.outputs[at] as OutputTask;
    return Object.entries({ loss, ...metrics }).map(([name, value]) => [metricOf(output, name), value]);
  });
  const loss = each.reduce((sum, { loss }, at) => sum + (task.outputs[at]?.loss.weight ?? 1) * loss, 0);
  return {
    task: SEVERAL_OUTPUTS,
    examples: only.examples,
    loss,
    metrics: Object.fromEntries(metrics) as MetricValues,
  };
}

function summariseOutput(judgements: OutputJudgements, all: NamedTargets, task: OutputTask): Summary {
  const { losses } = judgements;
  const examples = losses.length;
  const { answers, targets, share } = countedAnswers(judgements, all, task);
  const loss = losses.reduce((sum, each) => sum + each, 0) / (examples * share);
  const metrics = metricsOf(task, answers, targets);
  if (task.name !== 'classification') return { task: task.name, examples, loss, metrics };
  return {
    examples,
    loss,
    metrics,
    ...classFigures(answers, labelsOf(targets) as Int32Array, widthOf(task)),
  };
}

/** The answers that count, with their targets, and which share of all they are. */
function countedAnswers({ answers, counted }: OutputJudgements, targets: NamedTargets, task: OutputTask) {
  if (counted === undefined) return { answers, targets, share: 1 };
  const rows = counted.reduce((sum, each) => sum + each, 0);
  const size = targets.values.length / counted.length;
  const ofRow = (width: number) => (_: unknown, at: number) => counted[Math.floor(at / width)] === 1;
  const values = (targets.values as Int32Array).filter(ofRow(size));
  return {
    answers: answers.filter(ofRow(answerSize(task))),
    targets: { ...targets, shape: [rows, size], values } as NamedTargets,
    share: rows / counted.length,
  };
}

/** What only classes have: as much work as there are examples, not classes. */
function classFigures(answers: Float32Array, labels: Int32Array, classes: number) {
  const keys = Float64Array.from(labels, (label, at) => label * classes + (answers[at * 2] as number)).sort();
  const confusions: Confusion[] = [];
  const ofClass = new Float64Array(classes);
  const right = new Float64Array(classes);
  for (let from = 0, to = 0; from < keys.length; from = to) {
    const key = keys[from] as number;
    while (keys[to] === key) to++;
    const [label, predicted] = [Math.floor(key / classes), key % classes];
    confusions.push([label, predicted, to - from]);
    ofClass[label] = (ofClass[label] as number) + to - from;
    if (label === predicted) right[label] = to - from;
  }
  const correct = right.reduce((sum, count) => sum + count, 0);
  const perClass = Array.from(ofClass, (count, label) => ({
    class: label,
    examples: count,
    accuracy: count === 0 ? null : (right[label] as number) / count,
  }));
  return {
    correct,
    accuracy: correct / labels.length,
    perClass: classes > MOST_DENSE_CLASSES ? perClass.filter(({ examples }) => examples > 0) : perClass,
    ...confusionRecord(confusions, classes),
  };
}
