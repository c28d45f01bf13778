/** The rows of an input in the order of the files that they are dealt to: taken out of memory, or sorted by way of a scratch file. */
import { sizeOf } from '../lib/core/weights.js';
import { type InputRows, onePiece } from '../lib/federation/example-rows.js';
import { type ExampleValues, takeRows, VALUE_ARRAYS } from '../lib/federation/examples.js';
import type { ScratchFile } from '../lib/formats/files/scratch-file.js';

/** The rows of part k; a piece of them holds until the next one is asked for. */
export type DealtRows = (k: number) => InputRows;

interface DealOptions {
  /** Which rows go into each part, in that order; none into two. */
  readonly parts: readonly Uint32Array[];
  readonly scratch: ScratchFile;
  /** Hears of rows that were dealt. */
  readonly onRows?: (rows: number) => void;
  /** Bytes of a bucket. */
  readonly bucketBytes?: number;
}

/** As much of all inputs is sorted in memory at once: about what a processor keeps close by. */
export const BUCKET_BYTES = 2 ** 23;
/** The buckets together keep so much in memory before it goes to the disk. */
const WAITING_BYTES = 2 ** 25;
const LEAST_WAITING_BYTES = 2 ** 16;

/** Deals rows. */
export async function dealRows(input: InputRows, options: DealOptions): Promise<DealtRows> {
  const { shape, values, name, dtype } = input;
  const { parts } = options;
  if (values === undefined) return await dealByBuckets(input, options);
  return (k) => {
    const taken = takeRows({ shape, values }, parts[k] as Uint32Array);
    return { name, dtype, ...taken, pieces: () => onePiece(taken.values) };
  };
}

/**
 * Sorts rows by where they go: first into buckets of neighbouring places, in the order in which they come, and then each
 * bucket in memory. Every row is written once and read once, in long stretches.
 */
async function dealByBuckets(
  input: InputRows,
  { parts, scratch, onRows, bucketBytes = BUCKET_BYTES }: DealOptions,
): Promise<DealtRows> {
  const Values = VALUE_ARRAYS[input.dtype];
  const rowBytes = sizeOf(input.shape.slice(1)) * Values.BYTES_PER_ELEMENT;
  const Words = rowBytes % 4 === 0 ? Uint32Array : Uint8Array;
  const rowLength = rowBytes / Words.BYTES_PER_ELEMENT;
  const starts = startsOf(parts);
  const total = starts.at(-1) as number;
  const form = { scratch, total, bucketRows: Math.max(1, Math.floor(bucketBytes / rowBytes)) };
  const rows = new Buckets(Words, { ...form, rowLength });
  const places = new Buckets(Uint32Array, { ...form, rowLength: 1 });
  const placeOf = placesOf(parts, input.shape[0] ?? 0);
  let row = 0;
  for await (const piece of input.pieces()) {
    const words = wordsOf(piece, Words);
    for (let at = 0; at < words.length; at += rowLength, row++) {
      const place = placeOf[row] as number;
      if (place === NOWHERE) continue;
      const bucket = Math.floor(place / form.bucketRows);
      rows.add(bucket, words, at);
      places.add(bucket, placeOf, row);
    }
    onRows?.(words.length / rowLength);
  }
  rows.finish();
  places.finish();
  const sorted = { bucket: -1, words: new Words(Math.min(total, form.bucketRows) * rowLength) };
  const values = new Values(sorted.words.buffer);
  const rowValues = rowBytes / Values.BYTES_PER_ELEMENT;
  const load = (bucket: number) => {
    if (sorted.bucket === bucket) return;
    sorted.bucket = bucket;
    const [from, to] = [rows.load(bucket), places.load(bucket)];
    for (let at = 0; at < to.length; at++) {
      const place = (to[at] as number) - bucket * form.bucketRows;
      copyRow(from, at * rowLength, sorted.words, { at: place * rowLength, length: rowLength });
    }
  };
  async function* piecesFrom(start: number, end: number): AsyncGenerator<ExampleValues> {
    for (let at = start; at < end; ) {
      const bucket = Math.floor(at / form.bucketRows);
      const first = bucket * form.bucketRows;
      const next = Math.min(end, first + form.bucketRows);
      load(bucket);
      yield values.subarray((at - first) * rowValues, (next - first) * rowValues);
      at = next;
    }
  }
  const { name, dtype, shape } = input;
  return (k) => {
    const [start, end] = [starts[k] as number, starts[k + 1] as number];
    return { name, dtype, shape: [end - start, ...shape.slice(1)], pieces: () => piecesFrom(start, end) };
  };
}

/** Where each part begins among all rows that are dealt, one part after the other; the last element is how many these are. */
function startsOf(parts: readonly Uint32Array[]): readonly number[] {
  const starts = [0];
  for (const part of parts) starts.push((starts.at(-1) as number) + part.length);
  return starts;
}

/** The place of a row that no part has. */
const NOWHERE = 2 ** 32 - 1;

/** Element i is where row i goes, among all rows that are dealt. */
function placesOf(parts: readonly Uint32Array[], count: number): Uint32Array {
  const places = new Uint32Array(count).fill(NOWHERE);
  let place = 0;
  for (const part of parts) for (const row of part) places[row] = place++;
  return places;
}

/** What rows are copied as: of numbers of one kind there is code that is fast, of four kinds there is none. */
type Words = Uint8Array | Uint32Array;
type WordKind = Uint8ArrayConstructor | Uint32ArrayConstructor;

/** The bytes of values as words. */
function wordsOf(values: ExampleValues, kind: WordKind): Words {
  const { buffer, byteOffset, byteLength } = values;
  if (byteOffset % kind.BYTES_PER_ELEMENT !== 0) return wordsOf(values.slice(), kind);
  return new kind(buffer as ArrayBuffer, byteOffset, byteLength / kind.BYTES_PER_ELEMENT);
}

interface BucketForm {
  readonly scratch: ScratchFile;
  /** Rows in all buckets, and in each but the last. */
  readonly total: number;
  readonly bucketRows: number;
  readonly rowLength: number;
}

/** Rows in buckets, each in the order in which they came, in a scratch file. */
class Buckets {
  readonly #form: BucketForm;
  readonly #kind: WordKind;
  readonly #rowBytes: number;
  readonly #start: number;
  readonly #waitingRows: number;
  /** By bucket: rows that wait to be written, how many, and how many were. */
  #waiting: Words[] = [];
  readonly #waits: Uint32Array;
  readonly #written: Uint32Array;
  #loaded: Words | undefined;

  constructor(kind: WordKind, form: BucketForm) {
    this.#form = form;
    this.#kind = kind;
    this.#rowBytes = form.rowLength * kind.BYTES_PER_ELEMENT;
    this.#start = form.scratch.reserve(form.total * this.#rowBytes);
    const count = Math.ceil(form.total / form.bucketRows);
    const waitingBytes = Math.max(LEAST_WAITING_BYTES, Math.floor(WAITING_BYTES / count));
    this.#waitingRows = Math.min(form.bucketRows, Math.max(1, Math.floor(waitingBytes / this.#rowBytes)));
    this.#waits = new Uint32Array(count);
    this.#written = new Uint32Array(count);
  }

  /** Adds the row that begins at an element of `from`. */
  add(bucket: number, from: Words, at: number): void {
    const { rowLength } = this.#form;
    this.#waiting[bucket] ??= new this.#kind(this.#waitingRows * rowLength);
    const waits = this.#waits[bucket] as number;
    copyRow(from, at, this.#waiting[bucket] as Words, { at: waits * rowLength, length: rowLength });
    this.#waits[bucket] = waits + 1;
    if (waits + 1 === this.#waitingRows) this.#write(bucket);
  }

  /** All rows were added. */
  finish(): void {
    for (const bucket of this.#waiting.keys()) this.#write(bucket);
    this.#waiting = [];
  }

  /** The rows of a bucket; they hold until those of another are loaded. */
  load(bucket: number): Words {
    const { scratch, total, bucketRows, rowLength } = this.#form;
    this.#loaded ??= new this.#kind(Math.min(total, bucketRows) * rowLength);
    const values = this.#loaded.subarray(0, (this.#written[bucket] as number) * rowLength);
    scratch.read(values, this.#start + bucket * bucketRows * this.#rowBytes);
    return values;
  }

  #write(bucket: number): void {
    const { scratch, bucketRows, rowLength } = this.#form;
    const waits = this.#waits[bucket] as number;
    const written = this.#written[bucket] as number;
    const values = this.#waiting[bucket]?.subarray(0, waits * rowLength);
    if (values === undefined || waits === 0) return;
    scratch.write(values, this.#start + (bucket * bucketRows + written) * this.#rowBytes);
    this.#written[bucket] = written + waits;
    this.#waits[bucket] = 0;
  }
}

/** Longer rows, in words, are copied by a call: it costs as much as these. */
const SHORT_ROW = 128;

function copyRow(
  from: Words,
  start: number,
  into: Words,
  { at, length }: { readonly at: number; readonly length: number },
): void {
  if (length > SHORT_ROW) into.set(from.subarray(start, start + length), at);
  else for (let each = 0; each < length; each++) into[at + each] = from[start + each] as number;
}
