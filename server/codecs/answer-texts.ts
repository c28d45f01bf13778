/** Answers in the words of the task as programs and people keep them: JSON, and CSV with a row for each example. */
import { type ExampleWords, type OutputWords, wordsOfAnswers } from '../models/answer-words.js';
import type { AnswerFacts } from '../models/served-facts.js';
import type { AskedExamples } from './tables.js';

/** Numbers of a model, and what they mean. */
interface NumbersToTell {
  readonly answers: Float32Array;
  readonly count: number;
  readonly facts: AnswerFacts;
}

/** `{"answers": [...]}`. */
export function writeWords({ answers, count, facts }: NumbersToTell): Uint8Array {
  return Buffer.from(JSON.stringify({ answers: wordsOfAnswers(answers, count, facts) }));
}

/** A line for each example: what its row held beside the inputs, then what the model says. */
export function writeAnswersCsv({
  answers,
  count,
  facts,
  kept,
}: NumbersToTell & { readonly kept?: AskedExamples['kept'] | undefined }): Uint8Array {
  const rows = wordsOfAnswers(answers, count, facts).map((words) => columnsOfExample(words, facts));
  const names = [...(kept?.names ?? []), ...Object.keys(rows[0] ?? {})];
  const lines = rows.map((row, at) => [...(kept?.rows[at] ?? []), ...Object.values(row)]);
  return Buffer.from([names, ...lines].map((cells) => `${cells.map(quoted).join(',')}\n`).join(''));
}

type Cells = Readonly<Record<string, string | number>>;

function columnsOfExample(words: ExampleWords, facts: AnswerFacts): Cells {
  if (!('outputs' in words)) return columnsOf(words, facts);
  const all = Object.entries(words.outputs).map(([name, each]) => prefixed(name, columnsOf(each, facts)));
  return Object.assign({}, ...all) as Cells;
}

function columnsOf(words: OutputWords, facts: AnswerFacts): Cells {
  if ('steps' in words)
    return Object.assign(
      {},
      ...words.steps.map((each, at) => prefixed(`step ${at}`, columnsOf(each, facts))),
    ) as Cells;
  if ('value' in words) return { prediction: words.value };
  if ('values' in words) return prefixed('prediction', byName(words.values, facts));
  if ('prediction' in words)
    return {
      prediction: words.label ?? words.prediction,
      probability: words.probabilities[words.prediction] ?? 0,
    };
  if ('probability' in words)
    return { prediction: words.label ?? (words.holds ? 'yes' : 'no'), probability: words.probability };
  const holding = words.labels ?? words.holds;
  return { prediction: holding.join(';'), ...prefixed('probability', byName(words.probabilities, facts)) };
}

function byName(numbers: readonly number[], { labels }: AnswerFacts): Cells {
  const entries = numbers.map((value, at) => [labels?.[at] ?? `${at}`, value] as const);
  return Object.fromEntries(entries);
}

function prefixed(prefix: string, cells: Cells): Cells {
  return Object.fromEntries(Object.entries(cells).map(([name, value]) => [`${prefix} ${name}`, value]));
}

function quoted(cell: string | number): string {
  const text = String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
