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

/** What an answer reads: the names of all its classes. */
export function reading({ digits }) {
  return digits.map(({ prediction }) => nameOf(prediction)).join(readsSigns ? '' : ', ');
}

/** The sentence in parts: what stands at odd places is emphasised. */
export function sentence(answer) {
  if (answer.blank) return ['The picture looks blank, so this is a guess about nothing.'];
  const name = nameOf(answer.prediction);
  if (answer.digits.length === 1)
    return [`It looks like ${article(name)} `, name, `, ${formatShare(sureness(answer))} sure.`];
  const doubtful = answer.digits.reduce((least, digit) =>
    sureness(digit) < sureness(least) ? digit : least,
  );
  return [
    'It reads ',
    reading(answer),
    `. It is least sure of the ${nameOf(doubtful.prediction)}: ${formatShare(sureness(doubtful))}.`,
  ];
}

/** The classes that get a bar: all of them in order, or the likeliest of many. */
export function classesWithBars(probabilities) {
  const classes = probabilities.map((_, index) => index);
  if (classes.length <= MOST_BARS) return classes;
  return classes.sort((a, b) => probabilities[b] - probabilities[a]).slice(0, MOST_BARS);
}

/** How large a reading can be written: by the number of its characters. */
export function lengthClass(text) {
  if (text.length <= 1) return 'short';
  if (text.length === 2) return 'pair';
  return text.length <= 5 ? 'middle' : 'long';
}

function article(name) {
  return /^(8|11$|18$|[aeio]|[aefhilmnorsx]$)/i.test(name) ? 'an' : 'a';
}
