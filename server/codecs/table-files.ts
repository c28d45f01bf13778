/** Tables as files have them, CSV and Parquet: names, where there are any, and rows of texts. */
import { isHeader, likelySeparator } from '../../lib/formats/sources/table/table-text.js';
import { bad, HttpProblem } from '../../lib/http/problems.js';

/** A table as it was written. */
interface Table {
  /** Undefined where no names stand above the rows. */
  readonly names: readonly string[] | undefined;
  readonly rows: readonly (readonly string[])[];
  /** Where a row stands, for messages. */
  readonly placeOf: (row: number) => string;
}

const PARQUET = 'PAR1';

/** Whether a file is Parquet, by its first bytes. */
export function isParquet(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, PARQUET.length)).toString('latin1') === PARQUET;
}

/** Reads a file; csv-parse and hyparquet are loaded when one of theirs is read. A damaged Parquet file may end the process. @throws {HttpProblem} 400 */
export function readTable(bytes: Uint8Array): Promise<Table> {
  return isParquet(bytes) ? readParquetTable(bytes) : readCsvTable(bytes);
}

async function readCsvTable(body: Uint8Array): Promise<Table> {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  const all = await csvRecords(text);
  const records = all.filter(({ record }) => record.some((cell) => cell !== ''));
  const cells = records.map(({ record }) => record);
  const [first = [], second] = cells;
  const hasHeader = second === undefined ? first.some(isWord) : isHeader(first, second);
  const from = hasHeader ? 1 : 0;
  return {
    names: hasHeader ? first : undefined,
    rows: cells.slice(from),
    placeOf: (row) => `line ${records[row + from]?.info.lines}`,
  };
}

const isWord = (cell: string): boolean => Number.isNaN(Number(cell));

interface CsvRecord {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

async function csvRecords(text: string): Promise<readonly CsvRecord[]> {
  const { CsvError, parse } = await import('csv-parse/sync');
  try {
    return parse(text, {
      bom: true,
      delimiter: likelySeparator(text),
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true,
    }) as unknown as readonly CsvRecord[];
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    throw bad('rows of a CSV file', cause.message.replace(/\.$/, ''));
  }
}

/** More cells than a CSV file of the same limit has: a small Parquet file may stand for many. */
const MAX_CELLS = 4_000_000;

async function readParquetTable(file: Uint8Array): Promise<Table> {
  const { damageOf, readParquetColumns } = await import('../../lib/formats/sources/table/parquet-columns.js');
  try {
    const { names, rows: count } = await readParquetColumns({ file, columns: [] });
    const cells = count * Math.max(1, names.length);
    if (!(cells <= MAX_CELLS)) throw bad(`at most ${MAX_CELLS} cells in a table`, `${cells}`);
    const rows = Array.from({ length: count }, () => new Array<string>(names.length).fill(''));
    await readParquetColumns({ file, columns: names }, async ({ column, row, values, texts }) => {
      for (let at = 0; at < values.length; at++)
        (rows[row + at] as string[])[column] = cellOf(texts === undefined ? values[at] : texts[values[at]]);
    });
    return { names, rows, placeOf: (row) => `row ${row + 1}` };
  } catch (cause) {
    if (cause instanceof HttpProblem) throw cause;
    throw bad('a Parquet file', damageOf(cause));
  }
}

/** A value as it would stand in a CSV file. */
function cellOf(value: unknown): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '';
  if (value instanceof Date) return value.toISOString().replace('T00:00:00.000Z', '');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
