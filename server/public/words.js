/** The words of an answer, the same that the server writes (views/page-content.ts). */

/** More bars would be a list to scroll: of more classes the likeliest are shown. */
const MOST_BARS = 10;

const answerSection = document.getElementById('answer');
/** Name of each class, in order. */
export const labels = JSON.parse(answerSection?.dataset.labels ?? '[]');
/** Whether several signs may stand side by side in one picture. */
export const readsSigns = answerSection?.dataset.signs === 'yes';

/** Name of a class. */
export const nameOf = (index) => labels[index] ?? String(index);

/** `97.3 %`. */
export const formatShare = (share) => `${(share * 100).toFixed(1)} %`;

/** How sure the model is of what it says about a digit. */
export const sureness = ({ prediction, probabilities }) => probabilities[prediction];

/** Whether each class is called by one character. */
const areSigns = labels.every((label) => [...label].length === 1);

/** What each line of an answer reads: the names of its classes, written together where they are single signs. */
export function linesRead({ digits }) {
  const lines = [];
  for (const { line, prediction } of digits) {
    lines[line - 1] ??= [];
    lines[line - 1].push(nameOf(prediction));
  }
  return lines.map((names) => names.join(areSigns ? '' : ', '));
}

/** What an answer reads, in one line. */
export const reading = (answer) => (isBlank(answer) ? 'nothing' : linesRead(answer).join(' / '));

/** Whether nothing was found. */
export const isBlank = ({ digits }) => digits.length === 0;

/** `7 · 97.3 %`: what an answer reads, and how sure the model is of the digit that it is least sure of. */
export function shortly(answer) {
  if (isBlank(answer)) return 'nothing found';
  return `${reading(answer)} · ${formatShare(Math.min(...answer.digits.map(sureness)))}`;
}

/** The sentence in parts: what stands at odd places is emphasised. */
export function sentence(answer) {
  if (isBlank(answer)) return [answer.message];
  const [first, ...others] = answer.digits;
  const name = nameOf(first.prediction);
  if (others.length === 0)
    return [`It looks like ${article(name)}`, name, `, ${formatShare(sureness(first))} sure.`];
  const doubtful = others.reduce(
    (least, digit) => (sureness(digit) < sureness(least) ? digit : least),
    first,
  );
  const lines = linesRead(answer);
  return [
    lines.length === 1 ? 'It reads ' : `It reads ${lines.length} lines: `,
    ...lines.flatMap((line, at) => (at === 0 ? [line] : [', ', line])),
    `. It is least sure of ${the(nameOf(doubtful.prediction))}: ${formatShare(sureness(doubtful))}.`,
  ];
}

/** The classes that get a bar: all of them in order, or the likeliest of many. */
export function classesWithBars(probabilities) {
  const classes = probabilities.map((_, index) => index);
  if (classes.length <= MOST_BARS) return classes;
  return classes.sort((a, b) => probabilities[b] - probabilities[a]).slice(0, MOST_BARS);
}

/** Ten characters a row, and ten rows, at most. */
const MOST = 10;

/** How large lines can be written: by the characters of their longest word, and by their rows. */
export function sizeOf(lines) {
  const words = lines.flatMap((line) => line.split(' ').map((word) => [...word].length));
  const length = Math.min(MOST, Math.max(1, ...words));
  const rows = lines.reduce((sum, line) => sum + Math.ceil([...line].length / length), 0);
  return { length, rows: Math.min(MOST, rows) };
}

function article(name) {
  if (/^class \d+$/.test(name)) return '';
  return /^(8|11$|18$|[aeio]|[aefhilmnorsx]$)/i.test(name) ? 'an ' : 'a ';
}

const the = (name) => (article(name) === '' ? name : `the ${name}`);
