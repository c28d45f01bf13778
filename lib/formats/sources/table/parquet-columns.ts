/** Columns of Parquet files, one after the other: what hyparquet reads. A damaged file may end the process, or stop it. */
import {
  type AsyncBuffer,
  asyncBufferFromFile,
  type DecodedArray,
  type FileMetaData,
  parquetMetadataAsync,
  parquetScan,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { messageOf } from '../../../core/errors.js';

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
}

/** Values that go together: few enough that whoever waits for them waits not long. */
const PART_ROWS = 65_536;

/** Reads a file, one column after the other, one row group at a time. @throws {Error} for a damaged file */
export async function readParquetColumns(
  { file, columns }: ParquetRequest,
  tell: (part: ParquetPart) => Promise<void> = async () => undefined,
): Promise<ParquetFacts> {
  const buffer = typeof file === 'string' ? await asyncBufferFromFile(file) : inMemory(file);
  const metadata = await parquetMetadataAsync(buffer);
  for (const [at, column] of columns.entries()) {
    // A scan keeps what it has read: each column has its own, so that one is in memory at a time.
    const scan = await parquetScan({ file: buffer, metadata, compressors, columns: [column] });
    for (const { rowStart, rowEnd } of scan.ranges) {
      const values = await scan.readColumn({ column, rowStart, rowEnd });
      const rows = rowEnd - rowStart;
      if (values.length !== rows)
        throw new Error(`${values.length} values in ${rows} rows of column ${column}`);
      for (let from = 0; from < rows; from += PART_ROWS)
        await tell({ column: at, row: rowStart + from, values: values.slice(from, from + PART_ROWS) });
    }
  }
  const rows = metadata.row_groups.reduce((sum, { num_rows }) => sum + Number(num_rows), 0);
  return { names: columnNames(metadata), rows, bytes: buffer.byteLength };
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
