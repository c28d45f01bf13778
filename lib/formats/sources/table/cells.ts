/** The cells of a table's columns: numbers of which nobody knows how many will come, in memory or in a scratch file. */
import type { ExampleValues } from '../../../federation/examples.js';
import type { ScratchFile } from '../../files/scratch-file.js';

/** Numbers of a file that has types. */
export type NumberArray = Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array;

type CellKind = Float32ArrayConstructor | Float64ArrayConstructor;

/** Cells of one column at a time in memory, at most and at least. */
const MOST_CHUNK = 2 ** 16;
const LEAST_CHUNK = 2 ** 10;
/** So much do the chunks of all columns come to that are filled, or looked at, at the same time. */
const CHUNKS_BYTES = 2 ** 24;

/** Where the cells of all columns of a table go. */
export class CellStore {
  readonly #scratch: ScratchFile | undefined;
  readonly #chunk: number;
  #roomBytes: number;

  /**
   * @param columns of the table
   * @param scratch takes what is more than memory holds; without one all stays in memory
   */
  constructor(columns = 1, scratch?: ScratchFile) {
    this.#scratch = scratch;
    // The arrays that are made of the cells take as much again.
    this.#roomBytes = (scratch?.memoryBytes ?? 0) / 2;
    const share = CHUNKS_BYTES / (8 * columns);
    this.#chunk = Math.min(MOST_CHUNK, Math.max(LEAST_CHUNK, 2 ** Math.floor(Math.log2(share))));
  }

  /** The cells of one more column. */
  cells(kind: CellKind): Cells {
    return new Cells(kind, this.#chunk, (bytes) => {
      this.#roomBytes -= bytes;
      return this.#roomBytes < 0 ? this.#scratch : undefined;
    });
  }
}

/** A chunk that is full: in memory, or where it lies in the scratch file. */
type Chunk = Float32Array | Float64Array | { readonly file: ScratchFile; readonly at: number };

/** Where cells that are read go to. */
export interface CellsInto {
  /** The element for the first, and from each to the next. */
  readonly from: number;
  readonly step: number;
  /** What a cell stands for; by default itself. */
  readonly numberOf?: ((cell: number) => number) | undefined;
}

/** Numbers in the order in which they were added: no array is ever copied to grow. */
export class Cells {
  readonly #kind: CellKind;
  readonly #size: number;
  /** Where a full chunk of so many bytes goes; undefined: it stays. */
  readonly #placeFor: (bytes: number) => ScratchFile | undefined;
  #chunks: Chunk[] = [];
  #last: Float32Array | Float64Array;
  #filled = 0;
  /** The chunk that was read last. */
  #open = { at: -1, values: new Float32Array(0) as Float32Array | Float64Array };
  /** Takes the chunks that are read from the file, one after the other. */
  #fromFile: Float32Array | Float64Array | undefined;

  constructor(kind: CellKind, size: number, placeFor: (bytes: number) => ScratchFile | undefined) {
    this.#kind = kind;
    this.#size = size;
    this.#placeFor = placeFor;
    this.#last = new kind(0);
  }

  add(value: number): void {
    if (this.#filled === this.#last.length) this.#begin();
    this.#last[this.#filled++] = value;
  }

  addAll(values: NumberArray): void {
    for (let at = 0; at < values.length; ) {
      if (this.#filled === this.#last.length) this.#begin();
      const part = values.subarray(at, at + this.#last.length - this.#filled);
      this.#last.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
    }
  }

  /** Fast where cells are read one after the other. */
  at(index: number): number {
    const chunk = Math.floor(index / this.#size);
    if (chunk !== this.#open.at) this.#open = { at: chunk, values: this.#read(chunk) };
    return this.#open.values[index - chunk * this.#size] ?? Number.NaN;
  }

  /** Reads the cells at some places into an array: fast where these follow each other. */
  read(places: Uint32Array, into: ExampleValues, { from, step, numberOf }: CellsInto): void {
    const size = this.#size;
    for (let each = 0; each < places.length; ) {
      const chunk = Math.floor((places[each] as number) / size);
      if (chunk !== this.#open.at) this.#open = { at: chunk, values: this.#read(chunk) };
      const { values } = this.#open;
      const stretch = { first: chunk * size, size, places, each, to: from + each * step, step };
      const isPlain = values instanceof Float32Array && into instanceof Float32Array;
      each =
        isPlain && numberOf === undefined
          ? copyFloats(values, into, stretch)
          : copyCells(values, into, { ...stretch, numberOf });
    }
  }

  clear(): void {
    this.#chunks = [];
    this.#last = new this.#kind(0);
    this.#filled = 0;
    this.#open = { at: -1, values: this.#last };
    this.#fromFile = undefined;
  }

  #begin(): void {
    if (this.#filled > 0) {
      const file = this.#placeFor(this.#last.byteLength);
      this.#chunks.push(file === undefined ? this.#last : { file, at: file.add(this.#last) });
      if (file !== undefined) {
        this.#filled = 0;
        return;
      }
    }
    this.#last = new this.#kind(this.#size);
    this.#filled = 0;
  }

  #read(at: number): Float32Array | Float64Array {
    const chunk = this.#chunks[at];
    if (chunk === undefined) return at === this.#chunks.length ? this.#last : new this.#kind(0);
    if (!('file' in chunk)) return chunk;
    this.#fromFile ??= new this.#kind(this.#size);
    chunk.file.read(this.#fromFile, chunk.at);
    return this.#fromFile;
  }
}

/** Some places, from one of them on, in a chunk whose first cell is `first`. */
interface Stretch {
  readonly first: number;
  /** Cells of a chunk. */
  readonly size: number;
  readonly places: Uint32Array;
  readonly each: number;
  readonly to: number;
  readonly step: number;
}

/** As `copyCells`: of arrays of one kind there is code that is fast, of several kinds there is none. */
function copyFloats(
  values: Float32Array,
  into: Float32Array,
  { first, size, places, each, to, step }: Stretch,
): number {
  for (; each < places.length; each++, to += step) {
    const within = (places[each] as number) - first;
    if (within < 0 || within >= size) break;
    into[to] = values[within] ?? Number.NaN;
  }
  return each;
}

/** Copies the cells at places that lie in the chunk one after the other; the first place that does not. */
function copyCells(
  values: Float32Array | Float64Array,
  into: ExampleValues,
  { first, size, places, each, to, step, numberOf }: Stretch & Pick<CellsInto, 'numberOf'>,
): number {
  for (; each < places.length; each++, to += step) {
    const within = (places[each] as number) - first;
    if (within < 0 || within >= size) break;
    const cell = values[within] ?? Number.NaN;
    into[to] = numberOf === undefined ? cell : numberOf(cell);
  }
  return each;
}
