/** What the page shows, and the words for it; public/words.js says the same in the browser. */
import { type Answer, subjectOf } from '../classify.js';
import type { Explanation } from '../explain.js';
import type { ModelCard } from '../predictor.js';
import type { Sample } from '../samples.js';

/** An answer, the pictures behind it, and the given picture's address (`data:` or a path) for `<img>`. */
export interface ShownAnswer {
  readonly answer: Answer;
  readonly explanation: Explanation;
  readonly givenUrl: string;
}

/** What the page shows. */
export interface PageContent {
  readonly card: ModelCard | undefined;
  readonly samples: readonly Sample[];
  readonly maxFileBytes: number;
  readonly shown?: ShownAnswer;
  /** What was wrong with the last upload. */
  readonly error?: string;
}

/** Classes shown before a model is there. */
const DEFAULT_CLASSES = 10;
/** More bars would be a list to scroll: of more classes the likeliest are shown. */
const MOST_BARS = 10;

/** What a model reads, in the words of the page. */
export interface Words {
  readonly title: string;
  readonly lead: string;
  /** Name of each class. */
  readonly labels: readonly string[];
  /** Whether several things may stand side by side in one picture. */
  readonly readsSigns: boolean;
}

/** The page's words for a model; for one of digits while none is there. */
export function wordsFor(card: ModelCard | undefined): Words {
  const labels =
    card?.labels ?? Array.from({ length: card?.classes ?? DEFAULT_CLASSES }, (_, index) => String(index));
  const readsSigns = card === undefined || subjectOf(card) === 'signs';
  const lead = 'A model trained by federated averaging';
  if (!readsSigns)
    return {
      title: 'What is in the picture?',
      lead: `Give it a picture. ${lead} says what it shows.`,
      labels,
      readsSigns,
    };
  const isDigits = labels.length === 10 && labels.every((label, index) => label === String(index));
  const sign = isDigits ? 'digit' : 'sign';
  return {
    title: `Which ${sign} is it?`,
    lead: `Draw a ${sign}, or give it a picture of one or of several in a row. ${lead} reads it.`,
    labels,
    readsSigns,
  };
}

/** What an answer reads: the names of all its classes, written together where they are single signs. */
export function reading({ digits }: Answer, { labels, readsSigns }: Words): string {
  const names = digits.map(({ prediction }) => labels[prediction] ?? String(prediction));
  return names.join(readsSigns ? '' : ', ');
}

/** The sentence in parts: what stands at odd places is emphasised. */
export function sentence(answer: Answer, words: Words): readonly string[] {
  if (answer.blank) return ['The picture looks blank, so this is a guess about nothing.'];
  const { labels } = words;
  const name = labels[answer.prediction] ?? String(answer.prediction);
  const sure = (digit: Answer['digits'][number]) => digit.probabilities[digit.prediction] ?? 0;
  if (answer.digits.length === 1)
    return [
      `It looks like ${article(name)} `,
      name,
      `, ${formatShare(answer.probabilities[answer.prediction] ?? 0)} sure.`,
    ];
  const doubtful = answer.digits.reduce((least, digit) => (sure(digit) < sure(least) ? digit : least));
  return [
    'It reads ',
    reading(answer, words),
    `. It is least sure of the ${labels[doubtful.prediction] ?? doubtful.prediction}: ${formatShare(sure(doubtful))}.`,
  ];
}

/** The classes that get a bar: all of them in order, or the likeliest of many. */
export function classesWithBars(
  probabilities: readonly number[] | undefined,
  count: number,
): readonly number[] {
  const classes = Array.from({ length: count }, (_, index) => index);
  if (count <= MOST_BARS) return classes;
  if (probabilities === undefined) return [];
  return classes.sort((a, b) => (probabilities[b] ?? 0) - (probabilities[a] ?? 0)).slice(0, MOST_BARS);
}

/** `97.3 %`. */
export function formatShare(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** As one says it: an eight, an eleven, an ankle boot. */
function article(name: string): string {
  return /^(8|11$|18$|[aeio]|[aefhilmnorsx]$)/i.test(name) ? 'an' : 'a';
}
