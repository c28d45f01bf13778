/** Lists of numbers in JSON, read from its bytes into one array: neither a text nor a list of objects is made of them on the way. */
import { formatShape } from '../../lib/core/weights.js';
import { MAX_FLOAT } from '../../lib/federation/statistics.js';
import { bad } from '../../lib/http/problems.js';

/** A batch of images has four dimensions. */
export const MOST_DIMENSIONS = 8;

const [SPACE, TAB, LINE_FEED, RETURN] = [0x20, 0x09, 0x0a, 0x0d];
const [OPEN, CLOSE, COMMA, MINUS, PLUS, POINT, ZERO, NINE] = [0x5b, 0x5d, 0x2c, 0x2d, 0x2b, 0x2e, 0x30, 0x39];
const [SMALL_E, LARGE_E] = [0x65, 0x45];
/** What else a value may begin with, as messages call it. */
const OTHERS: Readonly<Record<number, string>> = {
  34: 'a text',
  123: 'an object',
  110: 'nothing',
  116: 'a boolean',
  102: 'a boolean',
};

/** A whole number below is exact, and so are these powers of ten: one division rounds once (Clinger, PLDI 1990). */
const EXACT_BELOW = 2 ** 53;
const TENS = Array.from({ length: 23 }, (_, exponent) => 10 ** exponent);

/** Numbers as they stood in lists within lists, row-major, all of one shape. */
export class NumberLists {
  readonly shape: readonly number[];
  readonly values: Float32Array;

  constructor(shape: readonly number[], values: Float32Array) {
    this.shape = shape;
    this.values = values;
  }
}

/** Whether a value was a list in JSON. */
export function isList(value: unknown): value is readonly unknown[] | NumberLists {
  return Array.isArray(value) || value instanceof NumberLists;
}

/** How many entries it has. */
export function lengthOf(list: readonly unknown[] | NumberLists): number {
  return list instanceof NumberLists ? (list.shape[0] ?? 0) : list.length;
}

/** Where the next byte stands that is no white space. */
export function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  for (let byte = bytes[at]; byte === SPACE || byte === LINE_FEED || byte === RETURN || byte === TAB; )
    byte = bytes[++at];
  return at;
}

/** Whether the list that begins at `from` holds numbers, in whatever lists, by the first thing in it; or nothing at all. */
export function beginsNumbers(bytes: Uint8Array, from: number): boolean {
  let at = from;
  while (bytes[at] === OPEN) at = skipSpace(bytes, at + 1);
  const byte = bytes[at];
  return byte === CLOSE || byte === MINUS || isDigit(byte as number);
}

/** Of most requests, and then of their own size: numbers are collected here before it is known how many they are. */
let collected = new Float32Array(16_384);
/** What a body of 15 MB needed is not kept for the next of 5 kB. */
const MOST_KEPT = 262_144;

/**
 * Reads the list that begins at `from`.
 *
 * @returns its numbers and where it ends; undefined where it is no JSON
 * @throws {HttpProblem} 400 for other things than numbers that a 32-bit float holds, and where shapes differ
 */
export function readNumberLists(
  bytes: Uint8Array,
  from: number,
): { readonly lists: NumberLists; readonly end: number } | undefined {
  const shape: number[] = [];
  /** What each open list has had so far: of the outermost, how many examples. */
  const counts: number[] = [];
  let values = collected;
  let at = from;
  let depth = 0;
  let innermost = 0;
  let length = 0;
  const inExample = (what: string) => `${what} in example ${counts[0]}`;
  for (;;) {
    let byte = bytes[at] as number;
    if (byte === OPEN) {
      if (innermost > 0 && depth === innermost) throw bad('numbers', inExample('a list'));
      if (depth === MOST_DIMENSIONS) throw bad(`lists at most ${MOST_DIMENSIONS} deep`, 'deeper ones');
      counts[depth++] = 0;
      at = skipSpace(bytes, at + 1);
      if (bytes[at] !== CLOSE) continue;
    } else {
      const start = at;
      if (byte === MINUS) byte = bytes[++at] as number;
      else {
        const other = OTHERS[byte];
        if (other !== undefined)
          throw bad(depth < innermost ? 'lists of one depth' : 'numbers', inExample(other));
      }
      if (!isDigit(byte)) return undefined;
      let number = 0;
      let scale = 0;
      if (byte === ZERO) byte = bytes[++at] as number;
      else for (; isDigit(byte); byte = bytes[++at] as number) number = number * 10 + (byte - ZERO);
      if (byte === POINT) {
        byte = bytes[++at] as number;
        if (!isDigit(byte)) return undefined;
        for (; isDigit(byte); byte = bytes[++at] as number, scale++) number = number * 10 + (byte - ZERO);
      }
      if (byte === SMALL_E || byte === LARGE_E) {
        byte = bytes[++at] as number;
        const isSmall = byte === MINUS;
        if (isSmall || byte === PLUS) byte = bytes[++at] as number;
        if (!isDigit(byte)) return undefined;
        let exponent = 0;
        for (; isDigit(byte); byte = bytes[++at] as number) exponent = exponent * 10 + (byte - ZERO);
        scale += isSmall ? exponent : -exponent;
      }
      if (number >= EXACT_BELOW || Math.abs(scale) >= TENS.length)
        number = Math.abs(numberAt(bytes, start, at));
      else number = scale < 0 ? number * (TENS[-scale] as number) : number / (TENS[scale] as number);
      if (number > MAX_FLOAT) throw bad('numbers that a 32-bit float holds', inExample(String(number)));
      if (innermost === 0) innermost = depth;
      else if (depth !== innermost) throw bad('lists of one depth', inExample('a number'));
      if (length === values.length) values = twice(values);
      values[length++] = bytes[start] === MINUS ? -number : number;
      (counts[depth - 1] as number)++;
      at = skipSpace(bytes, at);
    }
    // Behind a value: the end of lists, or another value.
    while (bytes[at] === CLOSE) {
      const count = counts[--depth] as number;
      if (innermost === 0) innermost = depth + 1;
      shape[depth] ??= count;
      if (shape[depth] !== count)
        throw bad(
          `examples of one shape, ${formatShape(shape.slice(1))} as the first`,
          inExample(`a list of ${count} where that has ${shape[depth]}`),
        );
      if (depth === 0) {
        if (values.length <= MOST_KEPT) collected = values;
        return { lists: new NumberLists(shape, values.slice(0, length)), end: at + 1 };
      }
      (counts[depth - 1] as number)++;
      at = skipSpace(bytes, at + 1);
    }
    if (bytes[at] !== COMMA) return undefined;
    at = skipSpace(bytes, at + 1);
  }
}

/** Behind the end of the bytes there is none. */
const isDigit = (byte: number): boolean => byte >= ZERO && byte <= NINE;

/** A number of more digits than the fast way takes. */
function numberAt(bytes: Uint8Array, start: number, end: number): number {
  return Number(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1'));
}

function twice(values: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  const grown = new Float32Array(2 * values.length);
  grown.set(values);
  return grown;
}
