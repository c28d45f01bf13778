/**
 * Reads the usual body of a prediction straight into floats: `{"instances": [[[0.1, …]]]}`. That takes a fraction of the
 * time and memory of `JSON.parse`, which makes an object of every list and number. Whatever is not usual, wrong bodies
 * included, is left to `JSON.parse`.
 */
import type { ImageBatch } from './images.js';

/** A body as it was found. */
export interface NumberLists extends ImageBatch {
  readonly key: 'instances' | 'inputs';
  readonly signature?: string;
}

const [OPEN, CLOSE, COMMA, QUOTE, COLON, MINUS, PLUS, POINT] = [
  0x5b, 0x5d, 0x2c, 0x22, 0x3a, 0x2d, 0x2b, 0x2e,
];
const [BRACE_OPEN, BRACE_CLOSE, ZERO, NINE] = [0x7b, 0x7d, 0x30, 0x39];
const MAX_FLOAT = 3.4028234663852886e38;
/** Powers of ten and whole numbers up to 2⁵³ that a double holds exactly: their quotient is rounded once, as it should. */
const POWERS = Array.from({ length: 23 }, (_, power) => 10 ** power);
const MAX_DIGITS = 15;

/** Reads `body` where it is lists of `size` numbers each; undefined where it is anything else. */
export function readNumberLists(body: Uint8Array, size: number): NumberLists | undefined {
  const scanner = new Scanner(body);
  if (!scanner.take(BRACE_OPEN)) return undefined;
  let key: NumberLists['key'] | undefined;
  let batch: ImageBatch | undefined;
  let signature: string | undefined;
  do {
    const name = scanner.text();
    if (!scanner.take(COLON)) return undefined;
    if ((name === 'instances' || name === 'inputs') && batch === undefined) {
      key = name;
      batch = scanner.images(size);
      if (batch === undefined) return undefined;
    } else if (name === 'signature_name' && signature === undefined) {
      signature = scanner.text();
      if (signature === undefined) return undefined;
    } else return undefined;
  } while (scanner.take(COMMA));
  if (!scanner.take(BRACE_CLOSE) || !scanner.isAtEnd()) return undefined;
  if (batch === undefined || key === undefined) return undefined;
  return { key, ...batch, ...(signature === undefined ? {} : { signature }) };
}

class Scanner {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Passes over white space and, where it stands there, `byte`. */
  take(byte: number): boolean {
    this.#skipSpace();
    if (this.#bytes[this.#at] !== byte) return false;
    this.#at++;
    return true;
  }

  isAtEnd(): boolean {
    this.#skipSpace();
    return this.#at === this.#bytes.length;
  }

  /** A string of plain characters. */
  text(): string | undefined {
    if (!this.take(QUOTE)) return undefined;
    const start = this.#at;
    while (/^[\w:./-]$/.test(String.fromCharCode(this.#bytes[this.#at] ?? 0))) this.#at++;
    const end = this.#at++;
    return this.#bytes[end] === QUOTE
      ? Buffer.from(this.#bytes.subarray(start, end)).toString('latin1')
      : undefined;
  }

  /** Lists within a list, each of `size` numbers however deep they are nested. */
  images(size: number): ImageBatch | undefined {
    let values = new Float32Array(size);
    let [depth, count, filled] = [0, 0, 0];
    let wantsValue = true;
    do {
      this.#skipSpace();
      const byte = this.#bytes[this.#at];
      if (byte === OPEN && wantsValue) {
        this.#at++;
        depth++;
      } else if (byte === CLOSE && !wantsValue) {
        this.#at++;
        depth--;
        if (depth === 1 && filled !== ++count * size) return undefined;
      } else if (byte === COMMA && !wantsValue) {
        this.#at++;
        wantsValue = true;
      } else {
        if (!wantsValue || depth < 2 || filled >= (count + 1) * size) return undefined;
        const value = this.#number();
        // NaN, too, fails this comparison.
        if (!(Math.abs(value) <= MAX_FLOAT)) return undefined;
        if (filled === values.length) values = grown(values);
        values[filled++] = value;
        wantsValue = false;
      }
    } while (depth > 0);
    return count === 0 ? undefined : { values: values.slice(0, filled), count };
  }

  /** A number as JSON writes it, exactly as `JSON.parse` reads it; NaN where there is none. */
  #number(): number {
    const bytes = this.#bytes;
    const start = this.#at;
    let at = start;
    const isNegative = bytes[at] === MINUS;
    if (isNegative) at++;
    const first = at;
    let mantissa = 0;
    for (; isDigit(bytes[at]); at++) mantissa = mantissa * 10 + (bytes[at] as number) - ZERO;
    let digits = at - first;
    if (digits === 0 || (digits > 1 && bytes[first] === ZERO)) return Number.NaN;
    let decimals = 0;
    if (bytes[at] === POINT) {
      const point = at++;
      for (; isDigit(bytes[at]); at++) mantissa = mantissa * 10 + (bytes[at] as number) - ZERO;
      decimals = at - point - 1;
      digits += decimals;
      if (decimals === 0) return Number.NaN;
    }
    const hasExponent = bytes[at] === 0x65 || bytes[at] === 0x45;
    if (hasExponent) {
      at++;
      if (bytes[at] === PLUS || bytes[at] === MINUS) at++;
      const exponent = at;
      while (isDigit(bytes[at])) at++;
      if (at === exponent) return Number.NaN;
    }
    this.#at = at;
    if (hasExponent || digits > MAX_DIGITS)
      return Number(Buffer.from(bytes.subarray(start, at)).toString('latin1'));
    const value = mantissa / (POWERS[decimals] as number);
    return isNegative ? -value : value;
  }

  #skipSpace(): void {
    for (
      let byte = this.#bytes[this.#at];
      byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
    ) {
      byte = this.#bytes[++this.#at];
    }
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}

function grown(values: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  const larger = new Float32Array(values.length * 2);
  larger.set(values);
  return larger;
}
