/** CSV files read row by row into columns: csv-parse behind our own sentences. */
import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { CsvError, parse } from 'csv-parse';
import { DataError } from '../../../core/errors.js';
import { errorCode, systemReason } from '../../../core/system-errors.js';
import { type CellTarget, type LineSink, PlainLines } from './plain-lines.js';
import { isHeader, unnamedColumn } from './table-text.js';

/** What a file's cells go to. */
export interface TableSink {
  /** Where cells go, of a file with columns of these names. */
  columnsFor(names: readonly string[], unit: 'line' | 'row'): readonly CellTarget[];
  /** Hears of bytes that were read. */
  readonly onBytes: (bytes: number) => void;
}

/** Far longer than any row: a quote that is not closed swallows the rest of a file. */
const MAX_ROW_CHARACTERS = 16_000_000;

/** How a CSV is written. */
interface CsvForm {
  readonly separator: string;
  readonly isZipped: boolean;
}

/** Reads a file. @throws {DataError} by the line, for rows of another length, quotes that are not closed, and what is no UTF-8 */
export async function readCsv(
  file: string,
  { separator, isZipped }: CsvForm,
  sink: TableSink,
): Promise<void> {
  const rows = new CsvRows(file, sink);
  const plain = new PlainLines(separator, MAX_ROW_CHARACTERS, rows);
  const read = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
    const iterator = chunks[Symbol.asyncIterator]();
    try {
      for (;;) {
        const { done, value } = await iterator.next();
        if (done === true) return;
        const rest = plain.read(plain.lines === 0 ? withoutMark(value) : value);
        if (rest.length > 0) return await readQuoted(rest, iterator, { separator, rows, plain });
      }
    } finally {
      await iterator.return?.();
    }
  };
  const counted = countedBy(sink.onBytes);
  try {
    const text = utf8Of(file);
    if (isZipped)
      await pipeline(
        createReadStream(file, { highWaterMark: CHUNK_BYTES }),
        counted,
        createGunzip(),
        text,
        read,
      );
    else await read(text(counted(chunksOf(file))));
  } catch (cause) {
    throw refusalOf(file, cause, plain.lines);
  }
  rows.end();
}

/** So much is read at once. */
const CHUNK_BYTES = 2 ** 20;

/** The bytes of a file; a chunk holds until the next one is asked for: what is thrown away at this pace keeps the collector busy. */
async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  const file = await open(path);
  try {
    const room = Buffer.allocUnsafe(CHUNK_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(room, 0, room.length);
      if (bytesRead === 0) return;
      yield room.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** The rows of a file on their way into columns. */
class CsvRows implements LineSink {
  targets: readonly CellTarget[] = [];
  readonly #file: string;
  readonly #sink: TableSink;
  #first: readonly string[] | undefined;
  #length = 0;

  constructor(file: string, sink: TableSink) {
    this.#file = file;
    this.#sink = sink;
  }

  startWith(cells: readonly string[], line: number): void {
    if (this.#first === undefined) {
      this.#first = cells;
      this.#length = cells.length;
    } else {
      this.#start(this.#first, cells);
      this.add(cells, line);
    }
  }

  add(cells: readonly string[], line: number): void {
    this.requireLength(cells.length, line);
    for (const { at, column } of this.targets) column.addText(cells[at] as string, line);
  }

  requireLength(cells: number, line: number): void {
    if (cells === this.#length) return;
    const expected = 'as many cells as in the first row';
    throw new DataError({ file: `${this.#file} line ${line}`, expected, found: `${cells}` });
  }

  end(): void {
    if (this.targets.length === 0 && this.#first !== undefined) this.#start(this.#first, undefined);
  }

  #start(head: readonly string[], next: readonly string[] | undefined): void {
    const hasHeader = next === undefined || isHeader(head, next);
    const names = hasHeader ? namesOf(head) : head.map((_, at) => unnamedColumn(at));
    this.targets = this.#sink.columnsFor(names, 'line');
    if (!hasHeader) this.add(head, 1);
  }
}

interface QuotedReading {
  readonly separator: string;
  readonly rows: CsvRows;
  readonly plain: PlainLines;
}

/** The rest of a file, from its first line with quotes on. */
async function readQuoted(
  rest: Buffer,
  more: AsyncIterator<Buffer>,
  { separator, rows, plain }: QuotedReading,
): Promise<void> {
  const parser = parse({
    delimiter: separator,
    skip_empty_lines: true,
    relax_column_count: true,
    max_record_size: MAX_ROW_CHARACTERS,
    ...(plain.lineEnd === undefined ? {} : { record_delimiter: plain.lineEnd }),
    on_record: (cells: readonly string[], { lines }) => {
      const line = plain.lines + lines;
      if (rows.targets.length > 0) rows.add(cells, line);
      else rows.startWith(cells, line);
      // Nothing goes on from here: the cells are in their columns.
      return null;
    },
  });
  async function* remaining(): AsyncGenerator<Buffer> {
    // The parser may still look at a chunk when the next one comes.
    yield Buffer.from(rest);
    for (let { done, value } = await more.next(); done !== true; { done, value } = await more.next())
      yield Buffer.from(value);
  }
  await pipeline(remaining, parser, drain);
}

const MARK = Buffer.from('\uFEFF');

/** Without the byte order mark that some editors put before a text. */
function withoutMark(bytes: Buffer): Buffer {
  return bytes.subarray(0, MARK.length).equals(MARK) ? bytes.subarray(MARK.length) : bytes;
}

function countedBy(onBytes: (bytes: number) => void) {
  return async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      onBytes(chunk.length);
      yield chunk;
    }
  };
}

/**
 * The same bytes in chunks that end with a line, so that no character is cut; a chunk holds until the next one is asked for.
 *
 * @throws {DataError} by the line, for what is no UTF-8
 */
function utf8Of(file: string) {
  return async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let room = Buffer.allocUnsafe(2 * CHUNK_BYTES);
    let filled = 0;
    let linesBefore = 0;
    const checked = (lines: Buffer): Buffer => {
      if (!isUtf8(lines)) throw notUtf8(file, lines, linesBefore);
      for (let at = lines.indexOf(NEW_LINE); at >= 0; at = lines.indexOf(NEW_LINE, at + 1)) linesBefore += 1;
      return lines;
    };
    for await (const chunk of chunks) {
      if (filled + chunk.length > room.length) {
        const larger = Buffer.allocUnsafe(2 * (filled + chunk.length));
        room.copy(larger, 0, 0, filled);
        room = larger;
      }
      filled += chunk.copy(room, filled);
      const end = room.subarray(0, filled).lastIndexOf(NEW_LINE) + 1;
      if (end > 0) yield checked(room.subarray(0, end));
      room.copyWithin(0, end, filled);
      filled -= end;
      // No row is this long: the parser refuses it.
      if (filled > MAX_ROW_CHARACTERS * 4) break;
    }
    if (filled > 0) yield checked(room.subarray(0, filled));
  };
}

const NEW_LINE = 10;

function notUtf8(file: string, lines: Buffer, linesBefore: number): DataError {
  let line = linesBefore + 1;
  let start = 0;
  for (let end = lines.indexOf(NEW_LINE); end >= 0; end = lines.indexOf(NEW_LINE, start)) {
    if (!isUtf8(lines.subarray(start, end))) break;
    line += 1;
    start = end + 1;
  }
  return new DataError({ file: `${file} line ${line}`, expected: 'text in UTF-8', found: 'other bytes' });
}

async function drain(records: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of records);
}

/** A column without a name is called by its number. */
function namesOf(head: readonly string[]): readonly string[] {
  return head.map((name, at) => (name.trim() === '' ? unnamedColumn(at) : name.trim()));
}

/** What csv-parse, zlib or the disk complains of. */
function refusalOf(file: string, cause: unknown, linesBefore: number): unknown {
  if (!(cause instanceof Error)) return cause;
  if (cause instanceof CsvError) {
    const { code, lines } = cause as CsvError & { readonly lines?: number };
    const place = lines === undefined ? file : `${file} line ${linesBefore + lines}`;
    const found = CSV_FAULTS[code] ?? cause.message;
    return new DataError({ file: place, expected: 'a row of a CSV file', found }, { cause });
  }
  const code = errorCode(cause);
  if (code.startsWith('Z_'))
    return new DataError({ file, expected: 'a gzip file', found: 'damaged data' }, { cause });
  if (/^E[A-Z]+$/.test(code)) {
    const found = `a file that cannot be read: ${systemReason(cause)}`;
    return new DataError({ file, expected: 'a CSV file', found }, { cause });
  }
  return cause;
}

const CSV_FAULTS: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'a quote that is never closed',
  CSV_INVALID_CLOSING_QUOTE: 'text behind a closing quote',
  INVALID_OPENING_QUOTE: 'a quote within a cell that does not begin with one',
  CSV_MAX_RECORD_SIZE: `a row of more than ${MAX_ROW_CHARACTERS} characters, as one is where a quote is not closed`,
};
