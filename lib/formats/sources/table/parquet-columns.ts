/** Columns of Parquet files, one after the other: what hyparquet reads. A damaged file may end the process, or stop it. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import {
  type DecodedArray,
  type FileMetaData,
  parquetMetadataAsync,
  parquetScan,
  parquetSchema,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { messageOf } from '../../../core/errors.js';
import type { NumberArray } from './cells.js';
import type { Column } from './column.js';
import {
  type ColumnFile,
  isPlainColumn,
  type PageBuffers,
  type PageValues,
  ReusedBuffer,
  readPages,
} from './parquet-pages.js';

/** What is asked of a file. */
export interface ParquetRequest {
  /** Where it lies, or what is in it. */
  readonly file: string | Uint8Array;
  /** Names of the columns whose values are wanted, in this order. */
  readonly columns: readonly string[];
}

/** What a file tells of itself. */
export interface ParquetFacts {
  /** Of all columns. */
  readonly names: readonly string[];
  readonly rows: number;
  readonly bytes: number;
}

/** Some values of a column. */
export interface ParquetPart {
  /** Which of those that are wanted. */
  readonly column: number;
  /** The row of the first value, from 0. */
  readonly row: number;
  readonly values: DecodedArray;
  /** What the values are the places in; -1 for nothing. */
  readonly texts?: readonly string[];
}

/** Adds values to the column that they are of. */
export function addPart(column: Column, { row, values, texts }: Omit<ParquetPart, 'column'>): void {
  if (texts !== undefined && values instanceof Int32Array) column.addTexts(values, texts, row + 1);
  else if (!isNumbers(values) || !column.addNumbers(values, row + 1))
    for (let each = 0; each < values.length; each++) column.addValue(values[each], row + each + 1);
}

/** Columns of numbers without gaps come in typed arrays. */
function isNumbers(values: DecodedArray): values is NumberArray {
  return ArrayBuffer.isView(values) && !(values instanceof BigInt64Array || values instanceof BigUint64Array);
}

/** Values that go together: few enough that whoever waits for them waits not long. */
const PART_ROWS = 65_536;

/** Reads a file, one column after the other, one row group at a time; values hold until they are told. @throws {Error} for a damaged file */
export async function readParquetColumns(
  { file, columns }: ParquetRequest,
  tell: (part: ParquetPart) => Promise<void> = async () => undefined,
): Promise<ParquetFacts> {
  if (typeof file !== 'string') return await readColumns(inMemory(file), columns, tell);
  const opened = openSync(file, 'r');
  try {
    return await readColumns(onDisk(opened), columns, tell);
  } finally {
    closeSync(opened);
  }
}

async function readColumns(
  buffer: ColumnFile,
  columns: readonly string[],
  tell: (part: ParquetPart) => Promise<void>,
): Promise<ParquetFacts> {
  const metadata = await parquetMetadataAsync(buffer);
  const rooms = { places: new ReusedBuffer(), values: new ReusedBuffer() };
  for (const [at, column] of columns.entries()) {
    let row = 0;
    for await (const { values, texts } of valuesOf(column, { file: buffer, metadata, rooms })) {
      for (let from = 0; from < values.length; from += PART_ROWS) {
        const part = values.length <= PART_ROWS ? values : values.slice(from, from + PART_ROWS);
        await tell({ column: at, row: row + from, values: part, ...(texts === undefined ? {} : { texts }) });
      }
      row += values.length;
    }
  }
  const rows = metadata.row_groups.reduce((sum, { num_rows }) => sum + Number(num_rows), 0);
  return { names: columnNames(metadata), rows, bytes: buffer.byteLength };
}

interface OpenParquet {
  readonly file: ColumnFile;
  readonly metadata: FileMetaData;
  readonly rooms: PageBuffers;
}

/** The values of a column, from the first row to the last. */
async function* valuesOf(column: string, { file, metadata, rooms }: OpenParquet): AsyncGenerator<PageValues> {
  const root = parquetSchema(metadata);
  const node = root.children.find(({ element }) => element.name === column);
  if (node !== undefined && isPlainColumn(node)) {
    for (const group of metadata.row_groups)
      yield* readPages({ file, rooms, schemaPath: [root, node], group });
    return;
  }
  // A scan keeps what it has read: each column has its own, so that one is in memory at a time.
  const scan = await parquetScan({ file, metadata, compressors, columns: [column] });
  for (const range of scan.ranges) {
    const values = await scan.readColumn({ column, ...range });
    const rows = range.rowEnd - range.rowStart;
    if (values.length !== rows)
      throw new Error(`${values.length} values in ${rows} rows of column ${column}`);
    yield { values };
  }
}

/** hyparquet's own reader opens the file for each range, and reads it in small pieces. */
function onDisk(file: number): ColumnFile {
  const byteLength = fstatSync(file).size;
  const room = new ReusedBuffer();
  const read = (start: number, end: number) => {
    if (start < 0) throw new RangeError('a place before the file');
    const size = Math.max(0, Math.min(end, byteLength) - start);
    const bytes = new Uint8Array(room.take(size), 0, size);
    let filled = 0;
    for (let count = -1; count !== 0 && filled < size; filled += count)
      count = readSync(file, bytes, filled, size - filled, start + filled);
    return bytes.subarray(0, filled);
  };
  // Of what is asked for by this, nobody says for how long.
  return { byteLength, read, slice: (start, end = byteLength) => read(start, end).slice().buffer };
}

const inMemory = (bytes: Uint8Array): ColumnFile => ({
  byteLength: bytes.length,
  slice: (start, end) => Uint8Array.from(bytes.subarray(start, end)).buffer,
  read: (start, end) => Uint8Array.from(bytes.subarray(start, end)),
});

/** What is wrong with a file, by what was thrown as it was read: what a library trips over tells nobody anything. */
export function damageOf(error: unknown): string {
  const isTold = !(error instanceof TypeError || error instanceof RangeError);
  return isTold ? messageOf(error).replace(/\.$/, '') : 'damaged bytes';
}

function columnNames({ schema }: FileMetaData): readonly string[] {
  // The tree in the order of its nodes: the children of the root are the columns.
  const names: string[] = [];
  let skip = 0;
  for (const { name, num_children: children = 0 } of schema.slice(1)) {
    if (skip > 0) skip += children - 1;
    else {
      names.push(name);
      skip = children;
    }
  }
  return names;
}
