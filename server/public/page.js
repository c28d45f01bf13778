/** Makes the page answer in place: chosen, dropped, pasted and sample pictures go through fetch. */
import { askServer } from './ask.js';
import { showAnswer, showBusy, showError } from './result.js';

const form = document.querySelector('#upload');
if (form) enhance(form, Number(form.dataset.maxBytes));

/** The newest picture wins: asking about it gives up the one before. */
let asking = new AbortController();

function enhance(form, maxBytes) {
  const input = form.querySelector('input[type=file]');

  const read = async (picture, pictureUrl, chosen) => {
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    markSample(chosen);
    showBusy();
    try {
      const blob = await picture(signal);
      const answer = await askServer(blob, { maxBytes, signal });
      if (signal.aborted) return;
      showAnswer(answer, pictureUrl ?? URL.createObjectURL(blob));
    } catch (error) {
      if (!signal.aborted) showError(error.message);
    }
  };
  const readFile = (file) => read(async () => file);

  input.addEventListener('change', () => {
    const [file] = input.files;
    // Emptied at once (the file is in hand), so that choosing the same file again is a change again.
    if (!file) return;
    void readFile(file);
    input.value = '';
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (input.files[0]) void readFile(input.files[0]);
  });

  for (const link of document.querySelectorAll('[data-sample]')) {
    link.addEventListener('click', (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      void read((signal) => fetchSample(link.dataset.sample, signal), link.dataset.sample, link);
    });
  }

  document.addEventListener('paste', (event) => {
    const [file] = event.clipboardData?.files ?? [];
    if (!file) return;
    event.preventDefault();
    void readFile(file);
  });
  acceptDrops(readFile);
}

/** A picture may be dropped anywhere on the page; a missed target must not make the browser leave it. */
function acceptDrops(readFile) {
  const carriesFiles = (event) => event.dataTransfer?.types.includes('Files') ?? false;
  let depth = 0;
  const setDepth = (next) => {
    depth = Math.max(0, next);
    document.body.classList.toggle('dragging', depth > 0);
  };
  document.addEventListener('dragenter', (event) => carriesFiles(event) && setDepth(depth + 1));
  document.addEventListener('dragleave', (event) => carriesFiles(event) && setDepth(depth - 1));
  document.addEventListener('dragover', (event) => carriesFiles(event) && event.preventDefault());
  document.addEventListener('drop', (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    setDepth(0);
    const files = event.dataTransfer.files;
    if (files.length > 1) showError('Drop one picture at a time.');
    else if (files.length === 1) void readFile(files[0]);
  });
}

async function fetchSample(path, signal) {
  const response = await fetch(path, { signal }).catch(() => undefined);
  if (!response?.ok) throw new Error('This sample could not be loaded.');
  return response.blob();
}

function markSample(chosen) {
  for (const link of document.querySelectorAll('[data-sample]')) {
    if (link === chosen) link.setAttribute('aria-current', 'true');
    else link.removeAttribute('aria-current');
  }
}
