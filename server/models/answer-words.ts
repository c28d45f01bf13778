/** An answer in the words of its task: which class, whether it holds, which number; output by output and step by step. */
import { sizeOf } from '../../lib/core/weights.js';
import { withoutNoise } from '../codecs/answers.js';
import type { ServedOutput } from './predictor.js';

/** What is said at one output, or at one step of it. */
export type OutputWords =
  | {
      readonly prediction: number;
      /** The name of the class, where it has one. */
      readonly label?: string;
      /** Of each class; of a model that ends in logits `scores`. */
      readonly probabilities?: readonly number[];
      readonly scores?: readonly number[];
    }
  | { readonly holds: boolean; readonly probability: number }
  | { readonly holds: readonly number[]; readonly probabilities: readonly number[] }
  | { readonly value: number }
  | { readonly values: readonly number[] }
  | { readonly steps: readonly OutputWords[] };

/** What is said of one example: by the names of the outputs, where there are several. */
export type ExampleWords = OutputWords | { readonly outputs: Readonly<Record<string, OutputWords>> };

/** What the numbers of a model mean. */
export interface AnswerFacts {
  readonly outputs: readonly ServedOutput[];
  /** Name of each class. */
  readonly labels?: readonly string[] | undefined;
}

/** The answers to `count` examples in words. */
export function wordsOfAnswers(
  answers: Float32Array,
  count: number,
  { outputs, labels }: AnswerFacts,
): readonly ExampleWords[] {
  const row = answers.length / count;
  return Array.from({ length: count }, (_, at) => {
    let from = at * row;
    const said = outputs.map((output) => {
      const size = sizeOf(output.shape);
      const own = answers.subarray(from, from + size);
      from += size;
      return [output.name, wordsOf(own, output, labels)] as const;
    });
    const [only, ...others] = said;
    return only !== undefined && others.length === 0 ? only[1] : { outputs: Object.fromEntries(said) };
  });
}

function wordsOf(
  numbers: Float32Array,
  output: ServedOutput,
  labels: readonly string[] | undefined,
): OutputWords {
  const { shape } = output;
  if (shape.length <= 1) return wordsOfRow(numbers, output, labels);
  const width = sizeOf(shape.slice(1));
  const steps = Array.from({ length: shape[0] ?? 0 }, (_, at) =>
    wordsOf(numbers.subarray(at * width, (at + 1) * width), { ...output, shape: shape.slice(1) }, labels),
  );
  return { steps };
}

function wordsOfRow(
  numbers: Float32Array,
  { task, isLogits = false }: ServedOutput,
  labels: readonly string[] | undefined,
): OutputWords {
  const values = Array.from(numbers, withoutNoise);
  const shares = () => (isLogits ? values.map((each) => withoutNoise(1 / (1 + Math.exp(-each)))) : values);
  switch (task) {
    case 'classification': {
      const prediction = values.reduce((best, each, at) => (each > (values[best] as number) ? at : best), 0);
      const label = labels?.[prediction];
      const named = { prediction, ...(label === undefined ? {} : { label }) };
      return { ...named, ...(isLogits ? { scores: values } : { probabilities: values }) };
    }
    case 'regression':
      return values.length === 1 ? { value: values[0] as number } : { values };
    case 'multi-label': {
      const probabilities = shares();
      return { holds: probabilities.flatMap((each, at) => (holds(each) ? [at] : [])), probabilities };
    }
    case 'binary': {
      const [probability] = shares() as [number];
      return { holds: holds(probability), probability };
    }
  }
}

const holds = (probability: number): boolean => probability > 0.5;
