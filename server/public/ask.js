/** Asks the server what a picture shows. */

/** Longest side of a picture that was too large to send as it is. */
const SHRUNK_SIDE = 1600;
/** An answer that takes longer will not come: the server itself gives up sooner. */
const LONGEST_MS = 60_000;

/**
 * The server's answer `{prediction, probabilities, digits, explanation}` about a picture.
 *
 * @throws {Error} with a sentence for the reader; with `retryAfterMs` where the server asks for a pause
 */
export async function askServer(picture, { maxBytes, signal }) {
  const form = new FormData();
  form.append('file', picture.size > maxBytes ? await shrink(picture, maxBytes) : picture);
  const response = await fetch('/upload?explain', {
    method: 'POST',
    body: form,
    headers: { Accept: 'application/json' },
    signal: AbortSignal.any?.([signal, AbortSignal.timeout(LONGEST_MS)]) ?? signal,
  }).catch((cause) => {
    if (cause.name === 'TimeoutError') throw new Error('The server took too long to answer. Try again.');
    throw new Error('The server cannot be reached. Is it still running?', { cause });
  });
  const answer = await response.json().catch(() => undefined);
  if (!response.ok) {
    const error = new Error(answer?.error ?? `The server answered ${response.status}.`);
    const seconds = Number(response.headers.get('Retry-After') ?? Number.NaN);
    throw Number.isFinite(seconds) ? Object.assign(error, { retryAfterMs: seconds * 1000 }) : error;
  }
  if (!answer) throw new Error('The server answered something that is not understood here.');
  return answer;
}

/** A photo of many megabytes as a JPEG that the server takes; a phone makes such photos every day. */
async function shrink(picture, maxBytes) {
  const tooLarge = () => new Error(`The file is too large: at most ${maxBytes / 1e6} MB are accepted.`);
  const bitmap = await createImageBitmap(picture).catch(() => {
    throw tooLarge();
  });
  const scale = Math.min(1, SHRUNK_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext('2d');
  context.fillStyle = '#fff';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.9));
  if (!blob || blob.size > maxBytes) throw tooLarge();
  return blob;
}
