/** The metrics of a task, computed exactly over all test examples. */
import { type ExampleTargets, labelsOf } from '../../federation/examples.js';
import type { MetricsOf, MetricValues } from '../../federation/metrics.js';
import { type OutputTask, widthOf } from './task.js';

/** What is kept of one answer: of classes the predicted one and the rank of the right one, else the outputs. */
export function answerSize(task: Pick<OutputTask, 'name' | 'shape'>): number {
  return task.name === 'classification' ? 2 : widthOf(task);
}

/** Puts one answer, to an example or a step of it, into `answers`, behind `row` others. */
export function keepAnswer(
  { name, loss }: Pick<OutputTask, 'name' | 'loss'>,
  output: Float32Array,
  {
    target,
    answers,
    row,
  }: { readonly target: ArrayLike<number>; readonly answers: Float32Array; readonly row: number },
): void {
  if (name === 'classification') {
    const right = output[target[0] as number] as number;
    answers[row * 2] = indexOfLargest(output);
    answers[row * 2 + 1] = output.reduce((above, score) => above + (score > right ? 1 : 0), 0);
    return;
  }
  const isLogit = name !== 'regression' && loss.fromLogits === true;
  answers.set(isLogit ? output.map((logit) => 1 / (1 + Math.exp(-logit))) : output, row * output.length);
}

function indexOfLargest(scores: Float32Array): number {
  let best = 0;
  for (let at = 1; at < scores.length; at++) if ((scores[at] as number) > (scores[best] as number)) best = at;
  return best;
}

/** The metrics of all answers of an output, in the order of the examples and of their steps. */
export function metricsOf(
  task: Pick<OutputTask, 'name' | 'shape'>,
  answers: Float32Array,
  targets: ExampleTargets,
): MetricValues {
  const { name } = task;
  const outputs = widthOf(task);
  if (name === 'classification')
    return finite(classMetrics(answers, labelsOf(targets) as Int32Array, outputs));
  const columns = Array.from({ length: outputs }, (_, at) => ({
    found: column(answers, { at, size: outputs }),
    wanted: column(targets.values, { at, size: outputs }),
  }));
  return finite(name === 'regression' ? regressionMetrics(columns) : binaryMetrics(columns));
}

interface Column {
  readonly found: Float64Array;
  readonly wanted: Float64Array;
}

function column(
  values: ArrayLike<number>,
  { at, size }: { readonly at: number; readonly size: number },
): Float64Array {
  return Float64Array.from({ length: values.length / size }, (_, row) => values[row * size + at] as number);
}

function finite(metrics: MetricValues): MetricValues {
  return Object.fromEntries(Object.entries(metrics).filter(([, value]) => Number.isFinite(value)));
}

const sum = (values: Iterable<number>) => {
  let total = 0;
  for (const value of values) total += value;
  return total;
};
const mean = (values: ArrayLike<number>) => sum(Array.from(values)) / values.length;

/** Fewer classes than this have no sixth one. */
const TOP = 5;

function classMetrics(
  answers: Float32Array,
  labels: Int32Array,
  classes: number,
): MetricsOf<'classification'> {
  const predicted = column(answers, { at: 0, size: 2 });
  const ranks = column(answers, { at: 1, size: 2 });
  const counts = new Map<number, Counts>();
  const countsOf = (label: number) => {
    const known = counts.get(label) ?? { right: 0, said: 0, held: 0 };
    counts.set(label, known);
    return known;
  };
  labels.forEach((label, row) => {
    const said = predicted[row] as number;
    countsOf(label).held++;
    countsOf(said).said++;
    if (said === label) countsOf(label).right++;
  });
  return {
    accuracy: sum(Array.from(counts.values(), ({ right }) => right)) / labels.length,
    top5: classes > TOP ? mean(ranks.map((rank) => (rank < TOP ? 1 : 0))) : Number.NaN,
    ...meanScores([...counts.values()]),
  };
}

/** Of one class, or of one output. */
interface Counts {
  right: number;
  said: number;
  held: number;
}

/** Precision, recall and F1, each 0 where it has nothing to be computed from, and their means. */
function meanScores(counts: readonly Counts[]) {
  const share = (part: number, whole: number) => (whole === 0 ? 0 : part / whole);
  return {
    precision: mean(counts.map(({ right, said }) => share(right, said))),
    recall: mean(counts.map(({ right, held }) => share(right, held))),
    f1: mean(counts.map(({ right, said, held }) => share(2 * right, said + held))),
  };
}

/** Said to hold is what is more likely than not. */
const holds = (value: number) => value > 0.5;

function binaryMetrics(columns: readonly Column[]): MetricsOf<'binary' | 'multi-label'> {
  const counts = columns.map(({ found, wanted }) => ({
    right: sum(found.map((value, row) => Number(holds(value) && holds(wanted[row] as number)))),
    said: found.filter(holds).length,
    held: wanted.filter(holds).length,
  }));
  const areas = columns.map(areaUnderRoc).filter(Number.isFinite);
  return {
    accuracy: mean(
      columns.map(({ found, wanted }) =>
        mean(found.map((value, row) => Number(holds(value) === holds(wanted[row] as number)))),
      ),
    ),
    auc: mean(areas),
    ...meanScores(counts),
  };
}

/** How often an example that holds is found likelier than one that does not, ties by half (Mann and Whitney 1947). */
function areaUnderRoc({ found, wanted }: Column): number {
  const order = Uint32Array.from(found.keys()).sort((a, b) => (found[a] as number) - (found[b] as number));
  let [ranks, held] = [0, 0];
  for (let from = 0, to = 0; from < order.length; from = to) {
    const value = found[order[from] as number];
    let tied = 0;
    while (to < order.length && found[order[to] as number] === value) {
      if (holds(wanted[order[to] as number] as number)) tied++;
      to++;
    }
    ranks += tied * ((from + 1 + to) / 2);
    held += tied;
  }
  const others = order.length - held;
  return (ranks - (held * (held + 1)) / 2) / (held * others);
}

function regressionMetrics(columns: readonly Column[]): MetricsOf<'regression'> {
  const each = columns.map(({ found, wanted }) => {
    const errors = found.map((value, row) => value - (wanted[row] as number));
    const middle = mean(wanted);
    const shares = errors.map((error, row) => error / (wanted[row] as number)).filter(Number.isFinite);
    const squares = (values: Float64Array) => sum(values.map((value) => value ** 2));
    return {
      mae: mean(errors.map(Math.abs)),
      mse: squares(errors) / errors.length,
      mspe: squares(shares) / shares.length,
      r2: 1 - squares(errors) / squares(wanted.map((value) => value - middle)),
    };
  });
  return {
    mae: mean(each.map(({ mae }) => mae)),
    rmse: Math.sqrt(mean(each.map(({ mse }) => mse))),
    rmspe: Math.sqrt(mean(each.map(({ mspe }) => mspe))),
    r2: mean(each.map(({ r2 }) => r2)),
  };
}
