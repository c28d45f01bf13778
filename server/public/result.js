/** Fills the page's answer, in the markup that the server writes for pages without JavaScript too. */
import {
  classesWithBars,
  formatShare,
  lengthClass,
  nameOf,
  reading,
  readsSigns,
  sentence,
  sureness,
} from './words.js';

const find = (id) => document.getElementById(id);

/** Shows that an answer is on its way. */
export function showBusy() {
  for (const id of ['error', 'pad-error']) if (find(id)) find(id).textContent = '';
  const section = find('answer');
  section.dataset.state = section.dataset.state === 'empty' ? 'empty' : 'busy';
  section.setAttribute('aria-busy', 'true');
}

/** Shows what was wrong, at the place `id` where the picture was given; an older answer stays as it was. */
export function showError(message, id = 'error') {
  find(id).textContent = message;
  showNothingNew();
}

/** Shows that no answer is on its way any more; an older answer stays as it was. */
export function showNothingNew() {
  settle(find('digit').textContent === '?' ? 'empty' : 'done');
}

/** Shows an answer beside the picture that it is about. `isLive`: while someone is drawing, so nothing scrolls. */
export function showAnswer(answer, pictureUrl, { isLive = false } = {}) {
  const read = reading(answer);
  find('digit').textContent = read;
  find('digit').dataset.length = lengthClass(read);
  find('sentence').replaceChildren(...sentence(answer).map(emphasiseOdd));
  showPicture(find('given'), pictureUrl);
  showDigits(answer);
  showDigit(answer, 0);
  document.title = `It reads ${read} · fedbatch`;
  settle('done');
  if (!isLive) scrollTo(find('answer'));
}

function settle(state) {
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
function showDigits(answer) {
  const group = find('digits');
  // Those that the server wrote for pages without JavaScript give way to these.
  for (const written of document.querySelectorAll('.digits:not(#digits)')) written.remove();
  const { digits } = answer.explanation;
  group.hidden = digits.length < 2;
  const buttons = digits.map((digit, at) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'digit-choice';
    button.append(
      pictureOf(digit.seen, ''),
      strongAnd(nameOf(digit.prediction), formatShare(sureness(digit))),
    );
    button.addEventListener('click', () => showDigit(answer, at));
    return button;
  });
  group.replaceChildren(...(digits.length < 2 ? [] : buttons));
}

function strongAnd(strong, rest) {
  const text = document.createElement('span');
  text.append(emphasiseOdd(strong, 1), ` ${rest}`);
  return text;
}

/** Shows one digit's input, bars and steps. */
function showDigit(answer, at) {
  const { steps, digits } = answer.explanation;
  const digit = digits[at];
  [...find('digits').children].forEach((button, index) => {
    button.setAttribute('aria-pressed', String(index === at));
  });
  showPicture(find('seen'), digit.seen);
  showBars(digit);
  const input = { name: readsSigns ? 'centred: the input' : 'fitted: the input', image: digit.seen };
  const way = [...steps, ...digit.steps, input];
  find('steps').replaceChildren(...way.map(showStep));
  find('way').hidden = false;
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
