/** The accuracy test proper: what a model says of each held-out example, how far off that is, and the figures of it. */
import { DataError } from '../core/errors.js';
import { sizeOf } from '../core/weights.js';
import { type Examples, type ExampleTargets, labelsIn } from '../federation/examples.js';
import type { AccuracyRecord } from '../formats/accuracy-record.js';
import { type Confusion, confusionRecord, MOST_DENSE_CLASSES } from '../formats/confusions.js';
import { batchInputs } from '../model/model-input.js';
import { lossModule } from '../model/tasks/losses.js';
import { answerSize, keepAnswer, metricsOf } from '../model/tasks/metrics.js';
import { faultOf, type Task } from '../model/tasks/task.js';
import type { PredictSession } from './engine.js';

/** What a model said of some examples, in their order. */
export interface Judgements {
  /** What is kept of each answer, as many numbers as the task says. */
  readonly answers: Float32Array;
  /** The loss of each example. */
  readonly losses: Float64Array;
}

/** Which examples a model is asked about. */
interface JudgeOptions {
  readonly examples: Examples;
  readonly task: Task;
  /** The first example, and the one after the last. */
  readonly from: number;
  readonly to: number;
  /** Examples per prediction. */
  readonly batchSize: number;
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
  const { examples, task, from, to, batchSize, signal, onBatch } = options;
  const { loss, outputs } = task;
  const { shape, values } = examples.targets;
  const size = sizeOf(shape.slice(1));
  const answers = new Float32Array((to - from) * answerSize(task));
  const losses = new Float64Array(to - from);
  for (let start = from; start < to; start += batchSize) {
    signal?.throwIfAborted();
    const picks = Uint32Array.from({ length: Math.min(batchSize, to - start) }, (_, at) => start + at);
    const [found] = await session.predict(batchInputs(examples, picks), picks.length);
    for (const [row, pick] of picks.entries()) {
      const output = (found as Float32Array).subarray(row * outputs, (row + 1) * outputs);
      const fault = faultOf(output, task);
      if (fault !== undefined) {
        const said = `${fault.found} for example ${pick} of ${options.data}`;
        throw new DataError({ ...fault, file: options.model, found: said });
      }
      const target = values.subarray(pick * size, (pick + 1) * size);
      keepAnswer(task, output, { target, answers, row: pick - from });
      losses[pick - from] = lossModule(loss).ofExample(output, target, loss);
    }
    onBatch?.(start + picks.length - from);
  }
  return { answers, losses };
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
export function summarise({ answers, losses }: Judgements, targets: ExampleTargets, task: Task): Summary {
  const examples = losses.length;
  const loss = losses.reduce((sum, each) => sum + each, 0) / examples;
  const metrics = metricsOf(task, answers, targets);
  if (task.name !== 'classification') return { task: task.name, examples, loss, metrics };
  return {
    examples,
    loss,
    metrics,
    ...classFigures(answers, labelsIn({ targets }) as Int32Array, task.outputs),
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
