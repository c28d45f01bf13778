/** Plain lines of a CSV file, cell by cell from their bytes: nearly all of most files, and many times as fast as from text. */
import type { Column } from './column.js';

/** A cell of each row, and the column that it goes to. */
export interface CellTarget {
  readonly at: number;
  readonly column: Column;
}

/** What lines are read into. */
export interface LineSink {
  /** Takes the cells of a line as long as the columns are not known. */
  startWith(cells: readonly string[], line: number): void;
  /** Where cells go, once it is known. */
  readonly targets: readonly CellTarget[];
  /** @throws {DataError} for another number of cells than in the first row */
  requireLength(cells: number, line: number): void;
}

const NEW_LINE = 10;
const RETURN = 13;
const QUOTE = 34;
const PLUS = 43;
const MINUS = 45;
const POINT = 46;
const ZERO = 48;

/** Powers of ten that are exact: a quotient of whole numbers below 2^53 and one of these is rounded once, as `Number` does. */
const POWERS = Array.from({ length: 23 }, (_, exponent) => 10 ** exponent);
const MOST_EXACT = 2 ** 53;

/** A reader of lines, as far as they are plain. */
export class PlainLines {
  /** Lines that were read. */
  lines = 0;
  readonly #separator: number;
  readonly #mostBytes: number;
  readonly #sink: LineSink;
  /** Whether lines end as the first one does, in `\r\n`. */
  #hasReturn: boolean | undefined;
  /** By cell of a line. */
  #cells: (WaitingCells | undefined)[] | undefined;

  /** @param mostBytes longer lines are not plain */
  constructor(separator: string, mostBytes: number, sink: LineSink) {
    this.#separator = separator.charCodeAt(0);
    this.#mostBytes = mostBytes;
    this.#sink = sink;
  }

  /** How lines end; undefined before the first. */
  get lineEnd(): string | undefined {
    return this.#hasReturn === undefined ? undefined : this.#hasReturn ? '\r\n' : '\n';
  }

  /** Reads whole lines; what is returned begins with the first line that is not plain: a quote within a cell, a line within quotes. */
  read(bytes: Buffer): Buffer {
    let quote = bytes.indexOf(QUOTE);
    let start = 0;
    while (start < bytes.length) {
      const found = bytes.indexOf(NEW_LINE, start);
      const isEnded = found >= 0;
      const next = isEnded ? found + 1 : bytes.length;
      const end = this.#endOf(bytes, start, { next, isEnded });
      if (end === undefined || next - start > this.#mostBytes) break;
      if (quote >= 0 && quote < end) {
        const line = { start, end, separator: this.#separator };
        const behind = quoteBehind(bytes, quote, line);
        if (behind === undefined) break;
        quote = behind;
      }
      this.lines++;
      if (end > start) this.#readLine(bytes, start, end);
      start = next;
    }
    for (let each of this.#cells ?? []) for (; each !== undefined; each = each.next) each.flush();
    return bytes.subarray(start);
  }

  /** Where the cells of a line end; undefined where it ends in another way than the first. */
  #endOf(
    bytes: Buffer,
    start: number,
    { next, isEnded }: { readonly next: number; readonly isEnded: boolean },
  ): number | undefined {
    if (!isEnded) return this.#hasReturn === undefined && bytes.includes(RETURN, start) ? undefined : next;
    const isReturned = next - 2 >= start && bytes[next - 2] === RETURN;
    if (this.#hasReturn === undefined) {
      // A return elsewhere may be the end of a line by itself.
      const other = bytes.indexOf(RETURN, start);
      if (other >= 0 && other < next - (isReturned ? 2 : 1)) return undefined;
      this.#hasReturn = isReturned;
    }
    if (!this.#hasReturn) return next - 1;
    return isReturned ? next - 2 : undefined;
  }

  #readLine(bytes: Buffer, start: number, end: number): void {
    if (this.#sink.targets.length === 0) {
      this.#sink.startWith(textsOf(bytes, start, end, this.#separator), this.lines);
      return;
    }
    this.#cells ??= waitingByCell(this.#sink.targets);
    const columns = this.#cells;
    const separator = this.#separator;
    let cells = 0;
    for (let at = start; at <= end; cells++) {
      if (bytes[at] === QUOTE && at < end) {
        const close = bytes.indexOf(QUOTE, at + 1);
        for (let mine = columns[cells]; mine !== undefined; mine = mine.next)
          mine.addText(bytes.toString('utf8', at + 1, close), this.lines);
        at = close + 2;
        continue;
      }
      // The number of the cell, as far as it is one, and its end.
      let to = at;
      const isNegative = bytes[to] === MINUS;
      if (isNegative || bytes[to] === PLUS) to++;
      const from = to;
      let whole = 0;
      for (; to < end; to++) {
        const digit = (bytes[to] as number) - ZERO;
        if (digit < 0 || digit > 9) break;
        whole = whole * 10 + digit;
      }
      let digits = to - from;
      let decimals = 0;
      if (to < end && bytes[to] === POINT) {
        const point = ++to;
        for (; to < end; to++) {
          const digit = (bytes[to] as number) - ZERO;
          if (digit < 0 || digit > 9) break;
          whole = whole * 10 + digit;
        }
        decimals = to - point;
        digits += decimals;
      }
      const isDigits = digits > 0 && (to === end || bytes[to] === separator);
      if (!isDigits) while (to < end && bytes[to] !== separator) to++;
      const isNumber = isDigits && whole < MOST_EXACT && decimals < POWERS.length;
      const size = decimals === 0 ? whole : whole / (POWERS[decimals] as number);
      for (let mine = columns[cells]; mine !== undefined; mine = mine.next) {
        if (!isNumber || !mine.takesNumbers) mine.addText(bytes.toString('utf8', at, to), this.lines);
        else {
          // Written here, and not by a method: a number that is handed over is an object for the collector.
          mine.numbers[mine.count++] = isNegative ? -size : size;
          if (mine.count === mine.numbers.length) mine.flush();
        }
      }
      at = to + 1;
    }
    this.#sink.requireLength(cells, this.lines);
  }
}

/** Numbers of all columns that wait, and of one. */
const MOST_WAITING = 2 ** 17;
const MOST_OF_ONE = 2 ** 10;

/** The numbers of a column that wait until there are enough of them to be added in one go. */
class WaitingCells {
  takesNumbers: boolean;
  /** Of another column with the same cell. */
  readonly next: WaitingCells | undefined;
  readonly numbers: Float64Array;
  count = 0;
  readonly #column: Column;

  constructor(column: Column, size: number, next: WaitingCells | undefined) {
    this.#column = column;
    this.numbers = new Float64Array(size);
    this.next = next;
    this.takesNumbers = column.takesNumbers;
  }

  addText(text: string, line: number): void {
    this.flush();
    this.#column.addText(text, line);
    this.takesNumbers = this.#column.takesNumbers;
  }

  flush(): void {
    if (this.count > 0) this.#column.addNumbers(this.numbers.subarray(0, this.count), 0);
    this.count = 0;
  }
}

interface LinePlace {
  readonly start: number;
  readonly end: number;
  readonly separator: number;
}

/**
 * The first quote behind a line, each of whose own begins or ends a cell; -1 where there is none, undefined where one
 * stands within a cell.
 *
 * @param first the first quote of the line
 */
function quoteBehind(bytes: Buffer, first: number, { start, end, separator }: LinePlace): number | undefined {
  let open = first;
  while (open >= 0 && open < end) {
    if (open > start && bytes[open - 1] !== separator) return undefined;
    const close = bytes.indexOf(QUOTE, open + 1);
    if (close < 0 || close >= end || (close + 1 < end && bytes[close + 1] !== separator)) return undefined;
    open = bytes.indexOf(QUOTE, close + 1);
  }
  return open;
}

/** The cells of a line with plain quotes as texts. */
function textsOf(bytes: Buffer, start: number, end: number, separator: number): readonly string[] {
  const texts: string[] = [];
  for (let at = start; at <= end; ) {
    const isQuoted = bytes[at] === QUOTE && at < end;
    const from = isQuoted ? at + 1 : at;
    const found = bytes.indexOf(isQuoted ? QUOTE : separator, from);
    const to = found < 0 || found > end ? end : found;
    texts.push(bytes.toString('utf8', from, to));
    at = isQuoted ? to + 2 : to + 1;
  }
  return texts;
}

function waitingByCell(targets: readonly CellTarget[]): (WaitingCells | undefined)[] {
  const size = Math.max(1, Math.min(MOST_OF_ONE, Math.floor(MOST_WAITING / targets.length)));
  const cells: (WaitingCells | undefined)[] = [];
  for (const { at, column } of targets) cells[at] = new WaitingCells(column, size, cells[at]);
  return cells;
}
