/** The worst mistakes of an accuracy test: what the model got wrong, those with the largest loss first. */
import { type Examples, labelsOf, type NamedTargets } from '../federation/examples.js';
import type { AccuracyRecord } from '../formats/accuracy-record.js';
import { answerSize } from '../model/tasks/metrics.js';
import { type OutputTask, stepsOf, type Task } from '../model/tasks/task.js';
import type { Judgements } from './accuracy.js';

/** Enough to see what a model stumbles over, and few enough for every record. */
const MOST_MISTAKES = 12;
/** Of longer answers a record would grow. */
const MOST_NUMBERS = 8;
/** What is said to hold is said with at least so much certainty. */
const HOLDS = 0.5;

type Mistake = NonNullable<AccuracyRecord['mistakes']>[number];

/** The mistakes as `accuracy.json` tells of them; nothing of tasks of several outputs or several steps, or where nothing was wrong. */
export function worstMistakes(
  judgements: Judgements,
  targets: Examples['targets'],
  { outputs }: Task,
): Pick<AccuracyRecord, 'mistakes'> {
  const [task] = outputs;
  const [judged] = judgements;
  if (outputs.length > 1 || judged === undefined || judged.counted !== undefined) return {};
  if (stepsOf(task) > 1 || (task.name !== 'classification' && answerSize(task) > MOST_NUMBERS)) return {};
  const { losses } = judged;
  const answerOf = answersIn(judged.answers, targets[0], task);
  // A loss that is no number is the worst of all.
  const weight = (example: number) => {
    const loss = losses[example] as number;
    return Number.isNaN(loss) ? Number.POSITIVE_INFINITY : loss;
  };
  const wrong = Array.from(losses.keys()).filter((example) => answerOf(example).isWrong);
  const worst = wrong.sort((a, b) => compare(weight(b), weight(a)) || a - b).slice(0, MOST_MISTAKES);
  if (worst.length === 0) return {};
  return {
    mistakes: worst.map((example): Mistake => {
      const loss = losses[example] as number;
      return { example, loss: Number.isFinite(loss) ? loss : null, ...answerOf(example).said };
    }),
  };
}

/** Infinities are equal to themselves. */
const compare = (a: number, b: number) => (a === b ? 0 : a - b);

/** As many digits as a float32 is good for. */
const short = (value: number) => Number(value.toPrecision(7));

interface Answer {
  readonly isWrong: boolean;
  readonly said: Omit<Mistake, 'example' | 'loss'>;
}

/** What was said of an example, and what would have been right. */
function answersIn(
  answers: Float32Array,
  targets: NamedTargets,
  task: OutputTask,
): (example: number) => Answer {
  const size = answerSize(task);
  const labels = task.name === 'classification' ? labelsOf(targets) : undefined;
  if (labels !== undefined) {
    return (example) => {
      const [label, predicted] = [labels[example] as number, answers[example * size] as number];
      return { isWrong: label !== predicted, said: { label, predicted } };
    };
  }
  return (example) => {
    const part = (values: ArrayLike<number>) =>
      Array.from({ length: size }, (_, at) => short(values[example * size + at] as number));
    const [wanted, answered] = [part(targets.values), part(answers)];
    const isWrong =
      task.name === 'regression' ||
      wanted.some((target, at) => target !== Number((answered[at] ?? 0) >= HOLDS));
    return { isWrong, said: { wanted, answered } };
  };
}
