/** Fills the page's answer, in the markup that the server writes for pages without JavaScript too. */

const find = (id) => document.getElementById(id);

/** Shows that an answer is on its way. */
export function showBusy() {
  find('error').textContent = '';
  const section = find('answer');
  section.dataset.state = section.dataset.state === 'empty' ? 'empty' : 'busy';
  section.setAttribute('aria-busy', 'true');
}

/** Shows what was wrong, where the picture was given; an older answer stays as it was. */
export function showError(sentence) {
  find('error').textContent = sentence;
  settle(find('digit').textContent === '?' ? 'empty' : 'done');
}

/** Shows an answer beside the picture that it is about. */
export function showAnswer(answer, pictureUrl) {
  const { prediction, probabilities, pixels, blank } = answer;
  find('digit').textContent = prediction;
  find('sentence').replaceChildren(...sentence(prediction, probabilities[prediction], blank));
  probabilities.forEach((share, index) => {
    showBar(index, share, index === prediction);
  });
  showPicture(find('given'), pictureUrl);
  showPicture(find('seen'), drawPixels(pixels));
  document.title = `It is a ${prediction} · fedbatch`;
  settle('done');
  scrollTo(find('answer'));
}

function settle(state) {
  const section = find('answer');
  section.dataset.state = state;
  section.removeAttribute('aria-busy');
}

/** The same sentence as the server writes. */
function sentence(prediction, share, blank) {
  if (blank) return ['The picture looks blank, so this is a guess about nothing.'];
  const strong = document.createElement('strong');
  strong.textContent = prediction;
  return ['It looks like a ', strong, `, ${formatShare(share)} sure.`];
}

/** Changes the bar of one class in place, so that it moves to its new length; adds one where there is none yet. */
function showBar(index, share, isBest) {
  const bars = find('bars');
  const item = bars.children[index] ?? bars.appendChild(bars.children[0].cloneNode(true));
  item.classList.toggle('best', isBest);
  item.querySelector('.class').textContent = index;
  item.querySelector('rect').setAttribute('width', (share * 100).toFixed(2));
  item.querySelector('.share').textContent = formatShare(share);
}

function showPicture(image, url) {
  if (image.src.startsWith('blob:')) URL.revokeObjectURL(image.src);
  image.src = url;
  image.hidden = false;
}

/** Rows of grey levels (or of `[r, g, b]`) as a PNG address. */
function drawPixels(rows) {
  const canvas = document.createElement('canvas');
  canvas.height = rows.length;
  canvas.width = rows[0].length;
  const context = canvas.getContext('2d');
  const image = context.createImageData(canvas.width, canvas.height);
  rows.flat().forEach((level, at) => {
    const [red, green, blue] = Array.isArray(level) ? level : [level, level, level];
    image.data.set([red, green, blue, 255], at * 4);
  });
  context.putImageData(image, 0, 0);
  return canvas.toDataURL();
}

function formatShare(share) {
  return `${(share * 100).toFixed(1)} %`;
}

/** On a narrow screen the answer lies below the samples: bring it into view, and only then. */
function scrollTo(section) {
  const { top, bottom } = section.getBoundingClientRect();
  if (top > innerHeight * 0.6 || bottom < 0) section.scrollIntoView({ behavior: 'smooth', block: 'start' });
}
