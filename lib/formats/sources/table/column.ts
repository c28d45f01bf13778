/** One column of a table while it is read: its cells in typed arrays, and what is to be known of them. */
import type { ExampleValues } from '../../../federation/examples.js';
import { CellStore, type Cells, type CellsInto, type NumberArray } from './cells.js';

/** How the cells of a column are taken: `auto` as numbers or as texts, whichever comes first. */
export interface ColumnNeed {
  readonly as: 'auto' | 'number' | 'text' | 'time';
  /** Whether the cells are kept, and numbers in 64 bits. */
  readonly keep: 'nothing' | 'cells' | 'exact cells';
  /** The texts that may occur, in the order of their numbers; by default those that occur. */
  readonly vocabulary?: readonly string[] | undefined;
}

/** What was found at a cell. */
interface CellPlace {
  /** The file, and the line or row in it. */
  readonly place: string;
  readonly text: string;
}

/** What a copy of a column in another process is made of. */
export interface ColumnCopy {
  readonly need: ColumnNeed;
  readonly file: string;
  readonly unit: 'line' | 'row';
  readonly found: FoundInColumn;
}

/** What is known of a column and its cells, but for these. */
export type FoundInColumn = Pick<Column, 'name'> & Partial<Column>;

/** What stands for a cell without a value; pandas takes the same (`STR_NA_VALUES` in pandas/_libs/parsers.pyx). */
const MISSING = new Set(
  ['', '#N/A', '#N/A N/A', '#NA', '-1.#IND', '-1.#QNAN', '-NaN', '-nan', '1.#IND', '1.#QNAN'].concat([
    '<NA>',
    'N/A',
    'NA',
    'NULL',
    'NaN',
    'None',
    'n/a',
    'nan',
    'null',
  ]),
);

/** Whether a cell stands for no value. */
export const isMissing = (cell: string): boolean => MISSING.has(cell);

/** More texts than a vocabulary has: a column of names or remarks. Owners may be more than categories. */
const MAX_TEXTS = 2 ** 22;

/** As many as there are classes at most. */
const MAX_WHOLES = 65_536;

const NUMBER = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i;
const TIME = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/;

/** Milliseconds since 1970 of a time in ISO 8601, in UTC unless it says otherwise; NaN for what is none. */
export function timeOf(text: string): number {
  if (!TIME.test(text)) return Number.NaN;
  const iso = text.replace(' ', 'T');
  return Date.parse(iso.length > 10 && !/(Z|[+-]\d\d:?\d\d)$/.test(iso) ? `${iso}Z` : iso);
}

/** A cell that is text in a column of texts has this number where it is missing, and this where the vocabulary lacks it. */
const NO_TEXT = -1;
const OTHER_TEXT = -2;

/** A column: what was added, cell by cell. */
export class Column {
  readonly name: string;
  rows = 0;
  missing = 0;
  least = Number.POSITIVE_INFINITY;
  most = Number.NEGATIVE_INFINITY;
  sum = 0;
  isWhole = true;
  /** Whether all texts are times. */
  isTime = true;
  /** The texts that occur, each with its number; undefined beyond what any vocabulary has. */
  texts: Map<string, number> | undefined = new Map();
  /** The whole numbers that occur, of exact cells; undefined beyond 65,536. */
  wholes: Set<number> | undefined;
  firstMissing: CellPlace | undefined;
  /** The first cell of the other kind than those before it, or than the need. */
  firstMisfit: CellPlace | undefined;
  /** The first text that the vocabulary lacks. */
  firstOther: CellPlace | undefined;
  /** What the cells are, so far: nothing before the first that has a value. */
  type: 'number' | 'text' | undefined;
  readonly #need: ColumnNeed;
  readonly #cells: Cells;
  #file = '';
  #unit: 'line' | 'row' = 'line';

  constructor(name: string, need: ColumnNeed, store = new CellStore()) {
    this.name = name;
    this.#need = need;
    this.#cells = store.cells(
      need.keep === 'exact cells' || need.as === 'time' ? Float64Array : Float32Array,
    );
    if (need.vocabulary !== undefined) this.texts = new Map(need.vocabulary.map((text, at) => [text, at]));
    if (need.keep === 'exact cells') this.wholes = new Set();
    if (need.as !== 'auto') this.type = need.as === 'text' ? 'text' : 'number';
  }

  get keepsCells(): boolean {
    return this.#need.keep !== 'nothing';
  }

  /** The same column for another process, to which its cells are added from then on; undefined where they are kept here. */
  copyToCount(): ColumnCopy | undefined {
    if (this.keepsCells) return undefined;
    return { need: this.#need, file: this.#file, unit: this.#unit, found: { ...this } };
  }

  static fromCopy({ need, file, unit, found }: ColumnCopy): Column {
    const column = new Column(found.name, need);
    column.begin(file, unit);
    column.take(found);
    return column;
  }

  /** Takes over what a copy has found. */
  take(found: FoundInColumn): void {
    Object.assign(this, found);
  }

  /** The cells from here on are those of a file. */
  begin(file: string, unit: 'line' | 'row'): void {
    this.#file = file;
    this.#unit = unit;
  }

  /** Adds a cell of a text file. */
  addText(cell: string, at: number): void {
    if (isMissing(cell)) this.#addMissing(cell, at);
    else if (this.#need.as === 'text') this.#addWord(cell, at);
    else if (this.#need.as === 'time') this.#addTime(cell, at);
    else if (NUMBER.test(cell)) this.#addIf('number', cell, at);
    else this.#addIf('text', cell, at);
  }

  /** Whether a cell that is a number is added as one; else the column wants the text. */
  get takesNumbers(): boolean {
    return this.#need.as !== 'text' && this.type !== 'text';
  }

  /** Adds a value of a file that has types. */
  addValue(value: unknown, at: number): void {
    if (value === null || value === undefined || Number.isNaN(value)) this.#addMissing('', at);
    else if (typeof value === 'number' || typeof value === 'bigint') {
      if (this.#need.as === 'text') this.#addWord(`${value}`, at);
      else if ((this.type ?? 'number') === 'text') this.#addMisfit(`${value}`, at);
      else {
        this.type = 'number';
        this.#addNumber(Number(value));
      }
    } else if (value instanceof Date)
      Number.isNaN(value.getTime())
        ? this.#addMisfit('a time that there is not', at)
        : this.addText(isoOf(value), at);
    else if (typeof value === 'boolean') this.addText(`${value}`, at);
    else if (typeof value !== 'string') this.#addMisfit('a value that is neither number, text nor time', at);
    else if (this.#need.as === 'time') this.#addTime(value, at);
    else if (this.#need.as === 'text') this.#addWord(value, at);
    else this.#addIf('text', value, at);
  }

  /**
   * Adds numbers, NaN for each that is missing; false where the column takes no numbers.
   *
   * @param at the line or row of the first, the others follow it
   */
  addNumbers(values: NumberArray, at: number): boolean {
    if (!this.takesNumbers) return false;
    let { least, most, sum, isWhole } = this;
    let missing = 0;
    for (let each = 0; each < values.length; each++) {
      const value = values[each] as number;
      if (Number.isNaN(value)) {
        if (missing++ === 0) this.firstMissing ??= this.#seen('', at + each);
        continue;
      }
      sum += value;
      if (value < least) least = value;
      if (value > most) most = value;
      if (isWhole && !Number.isInteger(value)) isWhole = false;
    }
    if (missing < values.length) this.type = 'number';
    Object.assign(this, { least, most, sum, isWhole });
    this.rows += values.length;
    this.missing += missing;
    if (this.wholes !== undefined)
      for (let each = 0; each < values.length; each++)
        if (!Number.isNaN(values[each])) this.#noteWhole(values[each] as number);
    if (this.#need.keep !== 'nothing') this.#cells.addAll(values);
    return true;
  }

  /**
   * Adds values of a file that has types, by their places in a list of texts; -1 for one that is missing.
   *
   * @param at the row of the first, the others follow it
   */
  addTexts(places: Int32Array, texts: readonly string[], at: number): void {
    const { as, keep } = this.#need;
    const isWords = as === 'text' || (as === 'auto' && this.type !== 'number');
    const numbers = new Map<number, number>();
    for (let each = 0; each < places.length; each++) {
      const place = places[each] as number;
      const number = numbers.get(place);
      if (number !== undefined) {
        this.rows++;
        if (keep !== 'nothing') this.#cells.add(number);
        continue;
      }
      const text = texts[place];
      this.addValue(text, at + each);
      // The text has its number by now, where it may have one.
      if (isWords && text !== undefined) numbers.set(place, this.texts?.get(text) ?? OTHER_TEXT);
    }
  }

  /** The number, or that of the text, in a row: NaN or a number below 0 where there is none. */
  at(row: number): number {
    return this.#cells.at(row);
  }

  /** Reads the same of some rows into an array. */
  read(rows: Uint32Array, into: ExampleValues, how: CellsInto): void {
    this.#cells.read(rows, into, how);
  }

  /** Lets go of the cells. */
  forget(): void {
    this.#cells.clear();
  }

  /** A column is of the type of its first value. */
  #addIf(type: 'number' | 'text', cell: string, at: number): void {
    this.type ??= type;
    if (this.type !== type) this.#addMisfit(cell, at);
    else if (type === 'number') this.#addNumber(Number(cell));
    else this.#addWord(cell, at);
  }

  #addNumber(value: number): void {
    this.rows++;
    this.sum += value;
    if (value < this.least) this.least = value;
    if (value > this.most) this.most = value;
    if (this.isWhole && !Number.isInteger(value)) this.isWhole = false;
    if (this.wholes !== undefined) this.#noteWhole(value);
    if (this.#need.keep !== 'nothing') this.#cells.add(value);
  }

  #noteWhole(value: number): void {
    if (this.wholes === undefined) return;
    if (!this.isWhole || this.wholes.size > MAX_WHOLES) this.wholes = undefined;
    else this.wholes.add(value);
  }

  #addWord(text: string, at: number): void {
    this.rows++;
    let number = this.texts?.get(text);
    if (number === undefined) {
      number = OTHER_TEXT;
      if (this.#need.vocabulary !== undefined) this.firstOther ??= this.#seen(text, at);
      else if (this.texts !== undefined) {
        number = this.texts.size;
        this.texts.set(text, number);
        if (this.isTime && !TIME.test(text)) this.isTime = false;
        if (this.texts.size > MAX_TEXTS) this.texts = undefined;
      }
    }
    if (this.#need.keep !== 'nothing') this.#cells.add(number);
  }

  #addTime(text: string, at: number): void {
    const time = NUMBER.test(text) ? Number(text) : timeOf(text);
    if (Number.isNaN(time)) this.#addMisfit(text, at);
    else this.#addNumber(time);
  }

  #addMissing(text: string, at: number): void {
    this.rows++;
    this.missing++;
    this.firstMissing ??= this.#seen(text, at);
    this.#addNothing();
  }

  #addMisfit(text: string, at: number): void {
    this.rows++;
    this.firstMisfit ??= this.#seen(text, at);
    this.#addNothing();
  }

  #addNothing(): void {
    if (this.#need.keep !== 'nothing') this.#cells.add(this.type === 'text' ? NO_TEXT : Number.NaN);
  }

  #seen(text: string, at: number): CellPlace {
    return { place: `${this.#file} ${this.#unit} ${at}`, text };
  }
}

/** A date alone where the time is midnight. */
function isoOf(date: Date): string {
  if (Number.isNaN(date.getTime())) return '';
  return date.toISOString().replace('T00:00:00.000Z', '');
}
