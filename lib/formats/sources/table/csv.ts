/** CSV files read row by row into columns: csv-parse behind our own sentences. */
import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { CsvError, parse } from 'csv-parse';
import { DataError } from '../../../core/errors.js';
import type { Column } from './column.js';
import { isHeader } from './table-text.js';

/** A cell of each row, and the column that it goes to. */
interface CellTarget {
  readonly at: number;
  readonly column: Column;
}

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
  let columns: readonly CellTarget[] = [];
  let first: readonly string[] | undefined;
  const add = (cells: readonly string[], line: number) => {
    for (const { at, column } of columns) column.addText(cells[at] as string, line);
  };
  const start = (head: readonly string[], next: readonly string[] | undefined) => {
    const hasHeader = next === undefined || isHeader(head, next);
    columns = sink.columnsFor(hasHeader ? namesOf(head) : head.map((_, at) => `column${at}`), 'line');
    if (!hasHeader) add(head, 1);
  };
  const parser = parse({
    delimiter: separator,
    bom: true,
    skip_empty_lines: true,
    max_record_size: MAX_ROW_CHARACTERS,
    on_record: (cells: readonly string[], { lines }) => {
      if (columns.length > 0) add(cells, lines);
      else if (first === undefined) first = cells;
      else {
        start(first, cells);
        add(cells, lines);
      }
      // Nothing goes on from here: the cells are in their columns.
      return null;
    },
  });
  const source = createReadStream(file, { highWaterMark: 2 ** 20 });
  source.on('data', (chunk) => sink.onBytes(chunk.length));
  try {
    const text = utf8Of(file);
    if (isZipped) await pipeline(source, createGunzip(), text, parser, drain);
    else await pipeline(source, text, parser, drain);
  } catch (cause) {
    throw refusalOf(file, cause);
  }
  if (columns.length === 0 && first !== undefined) start(first, undefined);
}

/** The same bytes in chunks that end with a line, so that no character is cut. @throws {DataError} by the line, for what is no UTF-8 */
function utf8Of(file: string) {
  return async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let rest: Buffer = Buffer.alloc(0);
    let linesBefore = 0;
    const checked = (lines: Buffer): Buffer => {
      if (!isUtf8(lines)) throw notUtf8(file, lines, linesBefore);
      for (let at = lines.indexOf(NEW_LINE); at >= 0; at = lines.indexOf(NEW_LINE, at + 1)) linesBefore += 1;
      return lines;
    };
    for await (const chunk of chunks) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const end = bytes.lastIndexOf(NEW_LINE) + 1;
      rest = bytes.subarray(end);
      if (end > 0) yield checked(bytes.subarray(0, end));
      // No row is this long: the parser refuses it.
      if (rest.length > MAX_ROW_CHARACTERS * 4) break;
    }
    if (rest.length > 0) yield checked(rest);
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
  return head.map((name, at) => (name.trim() === '' ? `column${at}` : name.trim()));
}

/** What csv-parse, zlib or the disk complains of. */
function refusalOf(file: string, cause: unknown): unknown {
  if (!(cause instanceof Error)) return cause;
  if (cause instanceof CsvError) {
    const { code, lines, record, column } = cause as CsvError & {
      readonly lines?: number;
      readonly record?: readonly string[];
      readonly column?: number;
    };
    const place = lines === undefined ? file : `${file} line ${lines}`;
    if (code === 'CSV_RECORD_INCONSISTENT_FIELDS_LENGTH') {
      const expected = 'as many cells as in the first row';
      return new DataError({ file: place, expected, found: `${record?.length ?? column}` }, { cause });
    }
    const found = CSV_FAULTS[code] ?? cause.message;
    return new DataError({ file: place, expected: 'a row of a CSV file', found }, { cause });
  }
  const { code = '' } = cause as NodeJS.ErrnoException;
  if (code.startsWith('Z_'))
    return new DataError({ file, expected: 'a gzip file', found: 'damaged data' }, { cause });
  if (/^E[A-Z]+$/.test(code)) {
    const found = `a file that cannot be read (${code})`;
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
