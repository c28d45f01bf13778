/** JSON in the body of a request: bounded by a look at its bytes, and only then parsed. */
import { formatShape } from '../../lib/core/weights.js';
import { jsonFault } from '../../lib/formats/files/json-document.js';
import { HttpProblem } from '../../lib/http/problems.js';

/** A body of so few bytes costs a few milliseconds whatever is in it. */
const SMALL_BYTES = 65_536;
/** Lists and objects within each other: a batch of images in an inference request has seven. */
const MAX_DEPTH = 32;
/**
 * Lists, objects and texts of one body. 16 MB of them cost 2 s and 500 MB to parse; 2,000 images of 28 × 28 pixels with a
 * list around each pixel have 1.6 million.
 */
const MAX_PARTS = 2_000_000;

const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [
  0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d,
];

/** Parses a JSON body. @throws {HttpProblem} 400 with what is wrong with it */
export function parseJson(body: Uint8Array): unknown {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (bytes.length > SMALL_BYTES) requireBounded(bytes);
  const text = bytes.toString('utf8');
  try {
    return JSON.parse(text);
  } catch (cause) {
    const found = bytes.length > SMALL_BYTES ? 'no JSON' : jsonFault(text, cause);
    throw new HttpProblem(400, `Expected a JSON object, found ${found}.`, { cause });
  }
}

/** @throws {HttpProblem} 400 for more depth or more parts than any honest body has */
function requireBounded(bytes: Buffer): void {
  let [depth, parts] = [0, 0];
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = endOfText(bytes, at);
      parts++;
    } else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      parts++;
      if (++depth > MAX_DEPTH)
        throw new HttpProblem(400, `Expected JSON at most ${MAX_DEPTH} deep, found a deeper one.`);
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--;
    if (parts > MAX_PARTS)
      throw new HttpProblem(400, `Expected at most ${MAX_PARTS} lists, objects and texts, found more.`);
  }
}

/** Where the text that begins at a quote ends; the end of the body where it does not. */
function endOfText(bytes: Buffer, start: number): number {
  for (let at = start + 1; at < bytes.length; at++) {
    if (bytes[at] === QUOTE) return at;
    if (bytes[at] === BACKSLASH) at++;
  }
  return bytes.length;
}

/** @throws {HttpProblem} 400 where a body is no object */
export function requireObject(body: unknown): Readonly<Record<string, unknown>> {
  if (typeof body === 'object' && body !== null && !Array.isArray(body))
    return body as Record<string, unknown>;
  throw new HttpProblem(
    400,
    `Expected a JSON object, found ${Array.isArray(body) ? `a list of ${formatShape([body.length])}` : 'something else'}.`,
  );
}
