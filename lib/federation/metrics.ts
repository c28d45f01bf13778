/** Metrics by name: which way is better, which one leads a task, how good a model is by it, and a threshold as text: `rmse=3.2`. */

/** The kinds of tasks: one class of several, yes or no, several of which each may hold, numbers. */
export type TaskName = 'classification' | 'binary' | 'multi-label' | 'regression';

/** Each metric: which way is better, what it is. */
const METRICS = {
  accuracy: { better: 'higher', help: 'share of right answers' },
  top5: { better: 'higher', help: 'share of examples whose class is among the five most probable' },
  auc: { better: 'higher', help: 'area under the ROC curve; the mean over the outputs' },
  precision: { better: 'higher', help: 'share of what is said to hold that holds; the mean over classes' },
  recall: { better: 'higher', help: 'share of what holds that is said to; the mean over classes' },
  f1: { better: 'higher', help: 'harmonic mean of precision and recall; the mean over classes' },
  mae: { better: 'lower', help: 'mean absolute error' },
  rmse: { better: 'lower', help: 'root of the mean squared error' },
  rmspe: { better: 'lower', help: 'root of the mean squared relative error, over targets that are not 0' },
  r2: { better: 'higher', help: 'share of the variance that is explained; the mean over the outputs' },
  loss: { better: 'lower', help: 'mean loss' },
} as const satisfies Readonly<Record<string, { readonly better: 'higher' | 'lower'; readonly help: string }>>;

/** The name of a metric. */
export type MetricName = keyof typeof METRICS;

/** All names. */
export const METRIC_NAMES = Object.keys(METRICS) as readonly MetricName[];

/** What a task of several outputs is called. */
export const SEVERAL_OUTPUTS = 'several outputs';

/** What was found, by metric; those that the examples do not allow are left out. */
export type MetricValues = Readonly<Record<string, number>>;

/** The metric of one of several outputs, as Keras calls it: `price_rmse`. */
export const metricOf = (output: string, metric: string): string => `${output}_${metric}`;

/** The metric that a name means, of whichever output. */
const metricNamed = (name: string): MetricName | undefined =>
  METRIC_NAMES.find((each) => each === name.toLowerCase()) ??
  METRIC_NAMES.find((each) => name.endsWith(metricOf('', each)));

/** Whether a name is that of a metric, or of that of one of several outputs. */
export const isMetric = (name: string): boolean => metricNamed(name) !== undefined;

const betterBy = (name: string) => METRICS[metricNamed(name) ?? 'loss'].better;

/** The metrics of each kind of task; the first one leads. */
const OF_TASK = {
  classification: ['accuracy', 'top5', 'precision', 'recall', 'f1'],
  binary: ['accuracy', 'auc', 'precision', 'recall', 'f1'],
  'multi-label': ['f1', 'accuracy', 'auc', 'precision', 'recall'],
  regression: ['rmse', 'mae', 'rmspe', 'r2'],
} as const satisfies Readonly<Record<TaskName, readonly [MetricName, ...MetricName[]]>>;

/** Every metric of a kind of task; NaN where the examples do not allow one. */
export type MetricsOf<T extends TaskName> = Readonly<Record<(typeof OF_TASK)[T][number], number>>;

/** An output of a model, and what is learned there. */
interface JudgedOutput {
  readonly name: TaskName;
  readonly output: string;
}

/**
 * The metrics that a name means, as records call them: of several outputs all that have it, or the one of `price_rmse`.
 * None where it is no metric of these outputs.
 */
export function metricsCalled(name: string, outputs: readonly JudgedOutput[]): readonly string[] {
  if (name === 'loss') return [name];
  return metricsOfAll(outputs).flatMap(({ metric, called }) =>
    name === metric || name === called ? called : [],
  );
}

/** All that a name may mean there. */
export const metricsThere = (outputs: readonly JudgedOutput[]): readonly string[] => [
  'loss',
  ...metricsOfAll(outputs).map(({ called }) => called),
];

function metricsOfAll(outputs: readonly JudgedOutput[]) {
  const [only, ...others] = outputs;
  if (only === undefined) return [];
  if (others.length === 0) return OF_TASK[only.name].map((metric) => ({ metric, called: metric as string }));
  return outputs.flatMap(({ name, output }) =>
    (['loss', ...OF_TASK[name]] as const).map((metric) => ({ metric, called: metricOf(output, metric) })),
  );
}

/** A metric, maybe of one of several outputs, and the value that is to be reached. */
export interface Threshold {
  readonly metric: string;
  readonly value: number;
}

/** Reads `rmse=3.2`, and `price_rmse=3.2` of one of several outputs; undefined for anything else. */
export function parseThreshold(text: string): Threshold | undefined {
  const [name = '', value = ''] = text.split('=', 2).map((part) => part.trim());
  const known = metricNamed(name);
  if (known === undefined || value === '' || !Number.isFinite(Number(value))) return undefined;
  return { metric: known === name.toLowerCase() ? known : name, value: Number(value) };
}

/** Writes a threshold as {@link parseThreshold} reads it. */
export const writeThreshold = ({ metric, value }: Threshold): string => `${metric}=${value}`;

/** Which side of a threshold is good, in words. */
export const boundOf = ({ metric }: Threshold): string =>
  betterBy(metric) === 'higher' ? 'at least' : 'at most';

/** Whether a value reaches a threshold. */
export const reaches = (found: number, { metric, value }: Threshold): boolean =>
  betterBy(metric) === 'higher' ? found >= value : found <= value;

/** What a test found, as records have it. */
export interface TestFigures {
  /** Absent of classification. */
  readonly task?: string | undefined;
  readonly loss: number | null;
  readonly accuracy?: number | undefined;
  readonly metrics?: MetricValues | undefined;
  /** The metric that leads, where that was chosen. */
  readonly leads?: string | undefined;
}

/** The value of a metric; NaN where the test has none. */
export function metricIn({ loss, accuracy, metrics }: TestFigures, metric: string): number {
  if (metric === 'loss') return loss ?? Number.NaN;
  return metrics?.[metric] ?? (metric === 'accuracy' ? accuracy : undefined) ?? Number.NaN;
}

/** The metric that decides which model is best: that of the target, else the one that leads the task. */
function leadingMetric({ task = 'classification', leads }: TestFigures, target?: Threshold): string {
  // Of several outputs the loss leads, as Keras sums it.
  return target?.metric ?? leads ?? OF_TASK[task as TaskName]?.[0] ?? 'loss';
}

/** What says how good a model is, e.g. `{ metric: 'accuracy', value: 0.97 }`. */
export function leadingFigure(found: TestFigures, target?: Threshold): Threshold {
  const metric = leadingMetric(found, target);
  return { metric, value: metricIn(found, metric) };
}

/** The value of the metric that gives a score. */
export function valueOfScore(score: number, found: TestFigures, target?: Threshold): number {
  return betterBy(leadingMetric(found, target)) === 'higher' ? score : -score;
}

/** How good a model is by its leading metric: the higher the better. */
export function scoreOf(found: TestFigures, target?: Threshold): number {
  return scoreOfFigure(leadingFigure(found, target));
}

/** How good a value of a metric is: the higher the better. */
export function scoreOfFigure({ metric, value }: Threshold): number {
  if (Number.isNaN(value)) return Number.NEGATIVE_INFINITY;
  return betterBy(metric) === 'higher' ? value : -value;
}
