/** What the page shows, and the words for it; public/words.js says the same in the browser. */
import type { ModelCard } from '../models/model-card.js';
import { type Answer, subjectOf } from '../pictures/classify.js';
import type { Explanation } from '../pictures/explain.js';
import type { Sample } from '../pictures/samples.js';

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

/** A model that reads digits as MNIST has them takes pictures of about its size. */
const DIGIT_SIDE = { least: 8, most: 64 };

/** What a picture may be chosen from, as browsers call it. */
export const PICTURE_TYPES = 'image/png,image/jpeg,image/webp,image/gif,image/avif';

/** Why there is no answer. */
export const NOTHING_FOUND = 'Nothing to read was found in the picture.';

/** What a model reads, in the words of the page. */
export interface Words {
  readonly title: string;
  readonly lead: string;
  /** What sends a picture off, without JavaScript. */
  readonly action: string;
  /** Name of each class; of a model without names, `class 3`. */
  readonly labels: readonly string[];
  /** Whether several things may stand side by side in one picture. */
  readonly readsSigns: boolean;
  /** Whether these are the digits 0 to 9. */
  readonly isDigits: boolean;
}

/** The page's words for a model; for one of digits while none is there. */
export function wordsFor(card: ModelCard | undefined): Words {
  const { classes = DEFAULT_CLASSES, inputShape: [height] = [DIGIT_SIDE.least] } = card ?? {};
  const readsSigns = card === undefined || subjectOf(card) === 'signs';
  const digits = Array.from({ length: DEFAULT_CLASSES }, (_, digit) => String(digit));
  const named = card?.labels ?? (classes === DEFAULT_CLASSES ? digits : undefined);
  const isOfSize = height >= DIGIT_SIDE.least && height <= DIGIT_SIDE.most;
  const isDigits = readsSigns && isOfSize && named?.join() === digits.join();
  const numbered = Array.from({ length: classes }, (_, index) => `class ${index}`);
  const labels = isDigits ? digits : (card?.labels ?? numbered);
  const lead = 'A model trained by federated averaging';
  if (!readsSigns)
    return {
      title: 'What is in the picture?',
      lead: `Give it a picture. ${lead} says what it shows.`,
      action: 'Look at it',
      ...{ labels, readsSigns, isDigits },
    };
  const sign = isDigits ? 'digit' : 'sign';
  return {
    title: `Which ${sign} is it?`,
    lead: `Draw a ${sign}, or give it a picture of one or of several in rows. ${lead} reads it.`,
    action: `Read the ${sign}`,
    ...{ labels, readsSigns, isDigits },
  };
}

/** What each line of an answer reads: the names of its classes, written together where they are single signs. */
export function linesRead({ digits }: Pick<Answer, 'digits'>, { labels }: Pick<Words, 'labels'>): string[] {
  const areSigns = labels.every((label) => [...label].length === 1);
  const lines: string[][] = [];
  for (const { line, prediction } of digits) {
    const names = lines[line - 1] ?? [];
    lines[line - 1] = [...names, labels[prediction] ?? String(prediction)];
  }
  return lines.map((names) => names.join(areSigns ? '' : ', '));
}

/** What an answer reads, in one line. */
export function reading(answer: Answer, words: Words): string {
  return linesRead(answer, words).join(' / ');
}

/** The sentence in parts: what stands at odd places is emphasised. */
export function sentence(answer: Answer, words: Words): readonly string[] {
  const { labels } = words;
  const [first, ...others] = answer.digits;
  if (first === undefined) return [NOTHING_FOUND];
  const nameOf = ({ prediction }: Answer['digits'][number]) => labels[prediction] ?? String(prediction);
  const sure = (digit: Answer['digits'][number]) => digit.probabilities[digit.prediction] ?? 0;
  if (others.length === 0) {
    const name = nameOf(first);
    return [`It looks like ${article(name)}`, name, `, ${formatShare(sure(first))} sure.`];
  }
  const doubtful = others.reduce((least, digit) => (sure(digit) < sure(least) ? digit : least), first);
  const lines = linesRead(answer, words);
  return [
    lines.length === 1 ? 'It reads ' : `It reads ${lines.length} lines: `,
    ...lines.flatMap((line, at) => (at === 0 ? [line] : [', ', line])),
    `. It is least sure of ${the(nameOf(doubtful))}: ${formatShare(sure(doubtful))}.`,
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

/** As one says it: an eight, an eleven, an ankle boot; but class 8. */
function article(name: string): string {
  if (/^class \d+$/.test(name)) return '';
  return /^(8|11$|18$|[aeio]|[aefhilmnorsx]$)/i.test(name) ? 'an ' : 'a ';
}

/** The 4; but class 4. */
function the(name: string): string {
  return article(name) === '' ? name : `the ${name}`;
}
