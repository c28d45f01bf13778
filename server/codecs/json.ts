/** JSON in the body of a request: its numbers read where they stand, all else bounded by a look at its bytes and then parsed. */
import { formatShape } from '../../lib/core/weights.js';
import { jsonFault } from '../../lib/formats/files/json-document.js';
import { HttpProblem } from '../../lib/http/problems.js';
import { beginsNumbers, readNumberLists, skipSpace } from './number-lists.js';

/** A body of so few bytes costs a few milliseconds whatever is in it. */
const SMALL_BYTES = 65_536;
/** Lists and objects within each other. */
const MAX_DEPTH = 32;
/** Values of one body beside lists of numbers. 16 MB of them cost 2 s and 500 MB to parse. */
const MAX_PARTS = 2_000_000;

const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT, COLON, COMMA] = [
  0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d, 0x3a, 0x2c,
];
/** What a number or a word of JSON ends before. */
const ENDS: readonly (number | undefined)[] = [
  COMMA,
  CLOSE_LIST,
  CLOSE_OBJECT,
  0x20,
  0x09,
  0x0a,
  0x0d,
  undefined,
];

/**
 * Parses a JSON body.
 *
 * @param numberKeys below these names, lists of numbers come as `NumberLists`
 * @throws {HttpProblem} 400 with what is wrong with it
 */
export function parseJson(body: Uint8Array, numberKeys: readonly string[] = []): unknown {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  try {
    return new JsonReader(bytes, numberKeys).read();
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new HttpProblem(400, `Expected a JSON object, found ${faultOf(bytes, cause)}.`, { cause });
  }
}

/** The parser of JavaScript tells best what is wrong with a text that it can be given. */
function faultOf(bytes: Buffer, fault: SyntaxError): string {
  if (bytes.length > SMALL_BYTES) return 'no JSON';
  const text = bytes.toString('utf8');
  try {
    JSON.parse(text);
  } catch (error) {
    return jsonFault(text, error);
  }
  return `no JSON (${fault.message})`;
}

class JsonReader {
  readonly #bytes: Buffer;
  readonly #numberKeys: readonly string[];
  #at = 0;
  #depth = 0;
  #parts = 0;

  constructor(bytes: Buffer, numberKeys: readonly string[]) {
    this.#bytes = bytes;
    this.#numberKeys = numberKeys;
  }

  read(): unknown {
    const value = this.#value(false);
    if (this.#next() !== undefined) throw this.#fault();
    return value;
  }

  /** Steps over white space. */
  #next(): number | undefined {
    this.#at = skipSpace(this.#bytes, this.#at);
    return this.#bytes[this.#at];
  }

  #take(byte: number): void {
    if (this.#next() !== byte) throw this.#fault();
    this.#at++;
  }

  #fault(): SyntaxError {
    return new SyntaxError(`at byte ${this.#at}`);
  }

  #value(isNumbers: boolean): unknown {
    const byte = this.#next();
    if (byte === OPEN_OBJECT) return this.#object(isNumbers);
    if (byte !== OPEN_LIST) return this.#parsed();
    if (isNumbers && beginsNumbers(this.#bytes, this.#at)) {
      const read = readNumberLists(this.#bytes, this.#at);
      if (read === undefined) throw this.#fault();
      this.#at = read.end;
      return read.lists;
    }
    const isObjects = this.#bytes[skipSpace(this.#bytes, this.#at + 1)] === OPEN_OBJECT;
    return isObjects ? this.#objects(isNumbers) : this.#parsed();
  }

  #object(isNumbers: boolean): object {
    const fields: Record<string, unknown> = {};
    this.#open();
    if (this.#next() !== CLOSE_OBJECT)
      do {
        if (this.#next() !== QUOTE) throw this.#fault();
        const name = this.#parsed() as string;
        if (Object.hasOwn(fields, name))
          throw new HttpProblem(
            400,
            `Expected each name once in an object, found "${name.slice(0, 40)}" twice.`,
          );
        this.#take(COLON);
        const value = this.#value(isNumbers || this.#numberKeys.includes(name));
        // By this name a plain assignment would set what an object inherits from.
        if (name === '__proto__') Object.defineProperty(fields, name, { value, enumerable: true });
        else fields[name] = value;
      } while (this.#hasMore());
    this.#close(CLOSE_OBJECT);
    return fields;
  }

  #objects(isNumbers: boolean): readonly unknown[] {
    const all: unknown[] = [];
    this.#open();
    do all.push(this.#value(isNumbers));
    while (this.#hasMore());
    this.#close(CLOSE_LIST);
    return all;
  }

  #hasMore(): boolean {
    if (this.#next() !== COMMA) return false;
    this.#at++;
    return true;
  }

  #open(): void {
    this.#at++;
    this.#count();
    if (++this.#depth > MAX_DEPTH)
      throw new HttpProblem(400, `Expected JSON at most ${MAX_DEPTH} deep, found a deeper one.`);
  }

  #close(byte: number): void {
    this.#take(byte);
    this.#depth--;
  }

  #count(): void {
    if (++this.#parts > MAX_PARTS)
      throw new HttpProblem(400, `Expected at most ${MAX_PARTS} values beside lists of numbers, found more.`);
  }

  /** A value that is no list of numbers, parsed once it is known to be bounded. @throws {SyntaxError} */
  #parsed(): unknown {
    const start = this.#at;
    const first = this.#bytes[start];
    if (first === QUOTE) this.#at = endOfText(this.#bytes, start);
    else if (first === OPEN_LIST) this.#skipList();
    else while (!ENDS.includes(this.#bytes[this.#at])) this.#at++;
    return JSON.parse(this.#bytes.toString('utf8', start, this.#at));
  }

  #skipList(): void {
    const within = this.#depth;
    do {
      const byte = this.#bytes[this.#at];
      if (byte === QUOTE) this.#at = endOfText(this.#bytes, this.#at);
      else if (byte === OPEN_LIST || byte === OPEN_OBJECT) this.#open();
      else {
        if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) this.#depth--;
        else if (byte === COMMA) this.#count();
        this.#at++;
      }
    } while (this.#depth > within && this.#at < this.#bytes.length);
  }
}

/** Behind the text that begins at a quote; the end of the body where it does not end. */
function endOfText(bytes: Buffer, start: number): number {
  for (let at = start + 1; at < bytes.length; at++) {
    if (bytes[at] === QUOTE) return at + 1;
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
