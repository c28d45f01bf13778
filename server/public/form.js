/** Makes a form of examples answer in place: the page that the server answers has the answer in it, and only that is taken over. */

/** An answer that takes longer will not come: the server itself gives up sooner. */
const LONGEST_MS = 60_000;
/** An answer that takes no longer than this comes without a word of waiting. */
const PATIENCE_MS = 400;

const section = document.getElementById('answer');
const said = document.getElementById('said');
const problem = document.getElementById('error');

/** The newest question wins: asking it gives up the one before. */
let asking = new AbortController();

for (const form of document.querySelectorAll('form')) {
  form.addEventListener('submit', (event) => {
    // A file to download is the browser's own affair.
    if (event.submitter?.value === 'csv') return;
    event.preventDefault();
    void ask(form);
  });
  for (const input of form.querySelectorAll('input[type=file]'))
    input.addEventListener('change', () => showChosen(input));
}
for (const type of ['dragover', 'drop'])
  document.addEventListener(type, (event) => {
    // A missed target must not make the browser leave the page.
    if (!event.target.closest?.('.drop')) event.preventDefault();
  });

async function ask(form) {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  section.setAttribute('aria-busy', 'true');
  const waiting = setTimeout(() => {
    section.dataset.state = 'busy';
  }, PATIENCE_MS);
  const { state, content, sentence } = await answerOf(form, signal);
  clearTimeout(waiting);
  if (signal.aborted) return;
  section.removeAttribute('aria-busy');
  section.dataset.state = state;
  said.replaceChildren(...content);
  problem.textContent = sentence;
  const { top, bottom } = section.getBoundingClientRect();
  if (top > innerHeight * 0.6 || bottom < 0) section.scrollIntoView({ behavior: 'smooth', block: 'start' });
}

/** What the answer's section is to show. */
async function answerOf(form, signal) {
  const failed = (sentence) => ({ state: 'failed', content: [], sentence });
  const asked = AbortSignal.any?.([signal, AbortSignal.timeout(LONGEST_MS)]) ?? signal;
  const request = {
    method: 'POST',
    body: new FormData(form),
    headers: { Accept: 'text/html' },
    signal: asked,
  };
  try {
    const response = await fetch('/predict', request);
    const page = new DOMParser().parseFromString(await response.text(), 'text/html');
    const answer = page.getElementById('answer');
    // Where there is no answer, the page is one that says why.
    if (!answer)
      return failed(page.querySelector('h1')?.textContent ?? `The server answered ${response.status}.`);
    return {
      state: answer.dataset.state,
      content: page.getElementById('said').childNodes,
      sentence: page.getElementById('error').textContent,
    };
  } catch (error) {
    const isLate = error.name === 'TimeoutError';
    return failed(
      isLate
        ? 'The server took too long to answer. Try again.'
        : 'The server cannot be reached. Is it still running?',
    );
  }
}

/** Says which file was chosen; of a picture it shows it. */
function showChosen(input) {
  const area = input.closest('.drop');
  const [file] = input.files;
  area.querySelector('.chosen').textContent = file ? file.name : '';
  const preview = area.querySelector('.preview');
  if (!preview) return;
  URL.revokeObjectURL(preview.src);
  preview.hidden = !file;
  if (file) preview.src = URL.createObjectURL(file);
}
