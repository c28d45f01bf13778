/** An answer in the words of its task: which class, whether it holds, which number; output by output and step by step. */
import { sizeOf } from '../../lib/core/weights.js';
import { withoutNoise } from '../codecs/answers.js';
import type { AnswerFacts, ServedOutput } from './served-facts.js';

/** What is more likely than this is said to hold. */
export const HOLDS_ABOVE = 0.5;

/** What is said at one output, or at one step of it. */
export type OutputWords =
  | {
      readonly prediction: number;
      /** The name of the class, where it has one. */
      readonly label?: string;
      /** Of each class. */
      readonly probabilities: readonly number[];
      /** The numbers behind them, of a model that ends in logits. */
      readonly scores?: readonly number[];
    }
  | {
      readonly holds: boolean;
      readonly probability: number;
      /** The name of what holds or does not, where both have one. */
      readonly label?: string;
    }
  | {
      readonly holds: readonly number[];
      /** The names of these, where they have some. */
      readonly labels?: readonly string[];
      readonly probabilities: readonly number[];
    }
  | {
      readonly value: number;
      /** What the data call the number, and what it is counted in. */
      readonly target?: string;
      readonly unit?: string;
    }
  | { readonly values: readonly number[] }
  | { readonly steps: readonly OutputWords[] };

/** What is said of one example: by the names of the outputs, where there are several. */
export type ExampleWords = OutputWords | { readonly outputs: Readonly<Record<string, OutputWords>> };

/** The answers to `count` examples in words. */
export function wordsOfAnswers(
  answers: Float32Array,
  count: number,
  facts: AnswerFacts,
): readonly ExampleWords[] {
  const row = answers.length / count;
  return Array.from({ length: count }, (_, at) => {
    let from = at * row;
    const said = facts.outputs.map((output) => {
      const size = sizeOf(output.shape);
      const own = answers.subarray(from, from + size);
      from += size;
      return [output.name, wordsOf(own, output, facts)] as const;
    });
    const [only, ...others] = said;
    return only !== undefined && others.length === 0 ? only[1] : { outputs: Object.fromEntries(said) };
  });
}

function wordsOf(numbers: Float32Array, output: ServedOutput, facts: AnswerFacts): OutputWords {
  const { shape } = output;
  if (shape.length <= 1) return wordsOfRow(numbers, output, facts);
  const width = sizeOf(shape.slice(1));
  const steps = Array.from({ length: shape[0] ?? 0 }, (_, at) =>
    wordsOf(numbers.subarray(at * width, (at + 1) * width), { ...output, shape: shape.slice(1) }, facts),
  );
  return { steps };
}

function wordsOfRow(
  numbers: Float32Array,
  { task, isLogits = false }: ServedOutput,
  { labels, target }: AnswerFacts,
): OutputWords {
  const values = Array.from(numbers, withoutNoise);
  const shares = () => (isLogits ? values.map((each) => withoutNoise(1 / (1 + Math.exp(-each)))) : values);
  switch (task) {
    case 'classification': {
      const prediction = values.reduce((best, each, at) => (each > (values[best] as number) ? at : best), 0);
      const label = labels?.[prediction];
      const named = { prediction, ...(label === undefined ? {} : { label }) };
      return isLogits
        ? { ...named, probabilities: sharesOfLogits(values), scores: values }
        : { ...named, probabilities: values };
    }
    case 'regression': {
      if (values.length > 1) return { values };
      const { column, unit } = target ?? {};
      return {
        value: values[0] as number,
        ...(column === undefined ? {} : { target: column }),
        ...(unit === undefined ? {} : { unit }),
      };
    }
    case 'multi-label': {
      const probabilities = shares();
      const holding = probabilities.flatMap((each, at) => (holds(each) ? [at] : []));
      const named = labels === undefined ? {} : { labels: holding.map((at) => labels[at] ?? `${at}`) };
      return { holds: holding, ...named, probabilities };
    }
    case 'binary': {
      const [probability] = shares() as [number];
      const label = labels?.length === 2 ? labels[holds(probability) ? 1 : 0] : undefined;
      return { holds: holds(probability), probability, ...(label === undefined ? {} : { label }) };
    }
  }
}

const holds = (probability: number): boolean => probability > HOLDS_ABOVE;

/** Probabilities of logits. */
export function sharesOfLogits(logits: readonly number[]): readonly number[] {
  const most = logits.reduce((least, each) => Math.max(least, each), Number.NEGATIVE_INFINITY);
  const shares = logits.map((each) => Math.exp(each - most));
  const sum = shares.reduce((total, each) => total + each, 0);
  return shares.map((each) => withoutNoise(each / sum));
}
