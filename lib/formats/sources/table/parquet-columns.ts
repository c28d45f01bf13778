/** Columns of Parquet files, one after the other: what hyparquet reads. A damaged file may end the process, or stop it. */
import { type FileHandle, open } from 'node:fs/promises';
import {
  type AsyncBuffer,
  type DecodedArray,
  type FileMetaData,
  parquetMetadataAsync,
  parquetScan,
  parquetSchema,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { messageOf } from '../../../core/errors.js';
import { readInto } from '../../files/read-file.js';
import { isPlainColumn, type PageValues, readPages } from './parquet-pages.js';

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

/** Values that go together: few enough that whoever waits for them waits not long. */
const PART_ROWS = 65_536;

/** Reads a file, one column after the other, one row group at a time. @throws {Error} for a damaged file */
export async function readParquetColumns(
  { file, columns }: ParquetRequest,
  tell: (part: ParquetPart) => Promise<void> = async () => undefined,
): Promise<ParquetFacts> {
  if (typeof file !== 'string') return await readColumns(inMemory(file), columns, tell);
  const opened = await open(file);
  try {
    return await readColumns(await onDisk(opened), columns, tell);
  } finally {
    await opened.close();
  }
}

async function readColumns(
  buffer: AsyncBuffer,
  columns: readonly string[],
  tell: (part: ParquetPart) => Promise<void>,
): Promise<ParquetFacts> {
  const metadata = await parquetMetadataAsync(buffer);
  for (const [at, column] of columns.entries()) {
    let row = 0;
    for await (const { values, texts } of valuesOf(column, { file: buffer, metadata })) {
      for (let from = 0; from < values.length; from += PART_ROWS) {
        const part = values.slice(from, from + PART_ROWS);
        await tell({ column: at, row: row + from, values: part, ...(texts === undefined ? {} : { texts }) });
      }
      row += values.length;
    }
  }
  const rows = metadata.row_groups.reduce((sum, { num_rows }) => sum + Number(num_rows), 0);
  return { names: columnNames(metadata), rows, bytes: buffer.byteLength };
}

interface OpenParquet {
  readonly file: AsyncBuffer;
  readonly metadata: FileMetaData;
}

/** The values of a column, from the first row to the last. */
async function* valuesOf(column: string, { file, metadata }: OpenParquet): AsyncGenerator<PageValues> {
  const root = parquetSchema(metadata);
  const node = root.children.find(({ element }) => element.name === column);
  if (node !== undefined && isPlainColumn(node)) {
    for (const group of metadata.row_groups) yield* readPages({ file, schemaPath: [root, node], group });
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
async function onDisk(file: FileHandle): Promise<AsyncBuffer> {
  const { size: byteLength } = await file.stat();
  return {
    byteLength,
    async slice(start, end = byteLength) {
      if (start < 0) throw new RangeError('a place before the file');
      const bytes = new Uint8Array(Math.max(0, Math.min(end, byteLength) - start));
      return bytes.buffer.slice(0, await readInto(file, bytes, start));
    },
  };
}

const inMemory = (bytes: Uint8Array): AsyncBuffer => ({
  byteLength: bytes.length,
  slice: (start, end) => Uint8Array.from(bytes.subarray(start, end)).buffer,
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
