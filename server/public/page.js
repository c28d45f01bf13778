/** Makes the page answer in place: drawn, chosen, dropped, pasted and sample pictures go through fetch. */
import { askServer } from './ask.js';
import { openHistory } from './history.js';
import { openPad } from './pad.js';
import {
  clearAnswer,
  PATIENCE_MS,
  READING,
  showAnswer,
  showBusy,
  showError,
  showNothingNew,
} from './result.js';
import { isBlank, shortly } from './words.js';

const form = document.querySelector('#upload');
if (form) enhance(form, Number(form.dataset.maxBytes));

/** The newest picture wins: asking about it gives up the one before. */
let asking = new AbortController();
/** The drawing that is asked about, and the one whose answer is shown; undefined for any other picture. */
let askedEntry;
let shownEntry;

function enhance(form, maxBytes) {
  const history = openHistory((answer, pictureUrl) => {
    asking.abort();
    [askedEntry, shownEntry] = [];
    showAnswer(answer, pictureUrl);
  });

  /**
   * Asks about the picture that `picture` fetches. Resolves to `{answer}`, to `{isGivenUp: true}` where another picture came
   * between, or to nothing of these when it failed. Where the server asks for a pause and `canPause` is true, it resolves
   * to `{pauseMs}` instead of showing an error.
   */
  const read = async ({
    picture,
    pictureUrl,
    sample,
    errorPlace = 'error',
    entry,
    isLive = false,
    canPause = false,
  }) => {
    asking.abort();
    asking = new AbortController();
    askedEntry = entry;
    const { signal } = asking;
    markSample(sample);
    showBusy();
    try {
      const blob = await picture(signal);
      const answer = await askServer(blob, { maxBytes, signal });
      if (signal.aborted) return { isGivenUp: true };
      const url = pictureUrl ?? (await toSmallPicture(blob));
      if (signal.aborted) return { isGivenUp: true };
      showAnswer(answer, url, { isLive });
      shownEntry = entry;
      if (!isBlank(answer)) history.add(answer, url, entry);
      return { answer };
    } catch (error) {
      if (signal.aborted) return { isGivenUp: true };
      if (canPause && error.retryAfterMs !== undefined) {
        showNothingNew();
        return { pauseMs: error.retryAfterMs };
      }
      showError(error.message, errorPlace);
      return {};
    }
  };
  const readFile = (file) => read({ picture: async () => file });

  for (const input of form.querySelectorAll('input[type=file]')) {
    input.addEventListener('change', () => {
      const [file] = input.files;
      // Emptied at once (the file is in hand), so that choosing the same file again is a change again.
      if (!file) return;
      void readFile(file);
      input.value = '';
    });
  }
  form.addEventListener('submit', (event) => event.preventDefault());

  for (const link of document.querySelectorAll('[data-sample]')) {
    link.addEventListener('click', (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      const path = link.dataset.sample;
      void read({ picture: (signal) => fetchSample(path, signal), pictureUrl: path, sample: link });
    });
  }

  document.addEventListener('paste', (event) => {
    const [file] = event.clipboardData?.files ?? [];
    if (!file) return;
    event.preventDefault();
    void readFile(file);
  });
  acceptDrops(readFile);

  const canvas = document.querySelector('#pad');
  if (canvas) openPad(canvas, { read: readDrawing(read) });
}

/** Reads the pad's drawing: each drawing is one entry of the history, however often it is read while it grows. */
function readDrawing(read) {
  const said = document.querySelector('#pad-answer');
  const isDrawing = (entry) => entry?.startsWith('pad-') === true;
  const say = (state, text) => {
    said.dataset.state = state;
    said.textContent = text;
  };
  return async (blob, drawing) => {
    if (blob === undefined) {
      say('empty', '');
      if (isDrawing(askedEntry)) {
        asking.abort();
        showNothingNew();
      }
      if (isDrawing(shownEntry)) clearAnswer();
      return {};
    }
    const entry = `pad-${drawing}`;
    // A reading that is there stays, dimmed, until the next one: it is of the same drawing.
    const waiting = setTimeout(() => {
      if (said.textContent === '') say('busy', READING);
      else said.dataset.state = 'busy';
    }, PATIENCE_MS);
    const picture = async () => blob;
    const outcome = await read({ picture, errorPlace: 'pad-error', entry, isLive: true, canPause: true });
    clearTimeout(waiting);
    const { answer, pauseMs, isGivenUp } = outcome;
    if (answer) say('read', shortly(answer));
    else if (pauseMs !== undefined)
      say('paused', `Draw on: it reads again in ${Math.ceil(pauseMs / 1000)} s.`);
    else if (!isGivenUp || said.textContent === READING) say('empty', '');
    else if (said.dataset.state === 'busy') say('read', said.textContent);
    return outcome;
  };
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

/** Longest side of the picture that is shown, and kept for this visit. */
const SHOWN_SIDE = 320;

/** A picture as a small `data:` address, upright; what this browser cannot decode is shown as nothing. */
async function toSmallPicture(blob) {
  const bitmap = await createImageBitmap(blob).catch(() => undefined);
  const canvas = document.createElement('canvas');
  const scale = bitmap ? Math.min(1, SHOWN_SIDE / Math.max(bitmap.width, bitmap.height)) : 1;
  canvas.width = bitmap ? Math.max(1, Math.round(bitmap.width * scale)) : 1;
  canvas.height = bitmap ? Math.max(1, Math.round(bitmap.height * scale)) : 1;
  if (bitmap) {
    const context = canvas.getContext('2d');
    context.imageSmoothingQuality = 'high';
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
  }
  return canvas.toDataURL();
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
