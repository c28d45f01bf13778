/** Fills the page's answer, in the markup that the server writes for pages without JavaScript too. */
import {
  classesWithBars,
  formatShare,
  isBlank,
  linesRead,
  nameOf,
  reading,
  readsSigns,
  sentence,
  sizeOf,
  sureness,
} from './words.js';

const find = (id) => document.getElementById(id);
/** An answer that takes no longer than this comes without a word of waiting. */
export const PATIENCE_MS = 400;
/** What is said then. */
export const READING = 'Reading…';

const emptyTitle = document.title;
/** What the answer was before the one that is on its way. */
let before = { state: 'empty', sentence: [] };
let waiting;

const isBusy = () => find('answer').hasAttribute('aria-busy');

/** Shows that an answer is on its way. */
export function showBusy() {
  for (const id of ['error', 'pad-error']) if (find(id)) find(id).textContent = '';
  const section = find('answer');
  const { state } = section.dataset;
  const settled = state === 'failed' ? 'empty' : state;
  if (!isBusy()) before = { state: settled, sentence: [...find('sentence').childNodes] };
  section.dataset.state = settled === 'empty' ? 'empty' : 'busy';
  section.setAttribute('aria-busy', 'true');
  clearTimeout(waiting);
  waiting = setTimeout(() => find('sentence').replaceChildren(READING), PATIENCE_MS);
}

/** Shows what was wrong, at the place `id`. An older answer goes: it is not about this picture. */
export function showError(message, id = 'error') {
  clearAnswer();
  find(id).textContent = message;
  if (id !== 'error') return;
  settle('failed');
  scrollTo(find('answer'));
}

/** Shows that no answer is on its way any more; an older answer stays as it was. */
export function showNothingNew() {
  if (!isBusy()) return;
  find('sentence').replaceChildren(...before.sentence);
  settle(before.state);
}

/** Takes the answer away, as if nothing had been asked. */
export function clearAnswer() {
  writeReading([], '?');
  find('sentence').replaceChildren();
  for (const id of ['given', 'seen']) find(id).hidden = true;
  showDigits([]);
  clearDigit();
  document.title = emptyTitle;
  settle('empty');
}

/** Shows an answer beside the picture that it is about. `isLive`: while someone is drawing, so nothing scrolls. */
export function showAnswer(answer, pictureUrl, { isLive = false } = {}) {
  const { steps, digits } = answer.explanation;
  for (const id of ['error', 'pad-error']) if (find(id)) find(id).textContent = '';
  writeReading(linesRead(answer), '–');
  find('sentence').replaceChildren(...sentence(answer).map(emphasiseOdd));
  showPicture(find('given'), pictureUrl);
  showDigits(digits, (digit) => showDigit(digit, steps));
  if (isBlank(answer)) clearDigit(steps);
  else showDigit(digits[0], steps);
  document.title = isBlank(answer) ? emptyTitle : `It reads ${reading(answer)} · fedbatch`;
  settle(isBlank(answer) ? 'blank' : 'done');
  if (!isLive) scrollTo(find('answer'));
}

/** The lines as large as there is room for; `otherwise` where there are none. */
function writeReading(lines, otherwise) {
  const digit = find('digit');
  digit.textContent = lines.length > 0 ? lines.join('\n') : otherwise;
  const { length, rows } = sizeOf(lines);
  Object.assign(digit.dataset, { length, lines: rows });
}

function settle(state) {
  clearTimeout(waiting);
  const section = find('answer');
  section.dataset.state = state;
  section.removeAttribute('aria-busy');
}

function emphasiseOdd(part, at) {
  if (at % 2 === 0) return part;
  const strong = document.createElement('strong');
  strong.textContent = part;
  return strong;
}

/** A button for each digit of several: it chooses whose bars and steps are shown. */
function showDigits(digits, choose) {
  const group = find('digits');
  // Those that the server wrote for pages without JavaScript give way to these.
  for (const written of document.querySelectorAll('.digits:not(#digits)')) written.remove();
  group.hidden = digits.length < 2;
  const buttons = digits.map((digit, at) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'digit-choice';
    button.append(
      pictureOf(digit.seen, ''),
      strongAnd(nameOf(digit.prediction), formatShare(sureness(digit))),
    );
    button.setAttribute('aria-pressed', String(at === 0));
    button.addEventListener('click', () => {
      for (const each of buttons) each.setAttribute('aria-pressed', String(each === button));
      choose(digit);
    });
    return button;
  });
  // Each line of the picture is a line of buttons.
  const isNewLine = (at) => at > 0 && digits[at].line !== digits[at - 1].line;
  const shown = buttons.flatMap((button, at) => (isNewLine(at) ? [lineBreak(), button] : [button]));
  group.replaceChildren(...(digits.length < 2 ? [] : shown));
}

function lineBreak() {
  const element = document.createElement('span');
  element.className = 'line-break';
  return element;
}

function strongAnd(strong, rest) {
  const text = document.createElement('span');
  text.append(emphasiseOdd(strong, 1), ` ${rest}`);
  return text;
}

/** Shows one digit's input, bars and steps; `steps` are those of the whole picture. */
function showDigit(digit, steps) {
  showPicture(find('seen'), digit.seen);
  showBars(digit);
  const input = { name: readsSigns ? 'centred: the input' : 'fitted: the input', image: digit.seen };
  showSteps([...steps, ...digit.steps, input]);
}

/** Shows that there is no digit, and how far the picture came. */
function clearDigit(steps = []) {
  find('seen').hidden = true;
  for (const item of find('bars').children) {
    item.classList.remove('best');
    item.querySelector('rect').setAttribute('width', '0');
    item.querySelector('.share').textContent = '–';
  }
  showSteps(steps);
}

function showSteps(steps) {
  find('steps').replaceChildren(...steps.map(showStep));
  find('way').hidden = steps.length === 0;
}

function showStep({ name, image }) {
  const figure = document.createElement('figure');
  figure.className = 'step';
  const caption = document.createElement('figcaption');
  caption.textContent = name;
  figure.append(pictureOf(image, ''), caption);
  return figure;
}

function pictureOf(url, alt) {
  const image = new Image();
  image.src = url;
  image.alt = alt;
  return image;
}

/** Changes the bars in place, so that they move to their new lengths; adds some where there are none yet. */
function showBars({ prediction, probabilities }) {
  const bars = find('bars');
  const classes = classesWithBars(probabilities);
  while (bars.children.length < classes.length) bars.append(emptyBar());
  classes.forEach((index, place) => {
    const item = bars.children[place];
    const share = probabilities[index];
    item.classList.toggle('best', index === prediction);
    item.querySelector('.class').textContent = nameOf(index);
    item.querySelector('rect').setAttribute('width', (share * 100).toFixed(2));
    item.querySelector('.share').textContent = formatShare(share);
  });
}

function emptyBar() {
  const item = document.createElement('li');
  item.innerHTML =
    '<span class="class"></span><svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true"><rect class="bar-fill" width="0" height="1"/></svg><span class="share"></span>';
  return item;
}

function showPicture(image, url) {
  image.src = url;
  image.hidden = false;
}

/** On a narrow screen the answer lies below: bring it into view, and only then. */
function scrollTo(section) {
  const { top, bottom } = section.getBoundingClientRect();
  if (top > innerHeight * 0.6 || bottom < 0) section.scrollIntoView({ behavior: 'smooth', block: 'start' });
}
