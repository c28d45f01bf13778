/** Parquet files read column by column: hyparquet behind our own sentences. */
import { asyncBufferFromFile, type FileMetaData, parquetMetadataAsync, parquetScan } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { DataError, messageOf } from '../../../core/errors.js';
import type { NumberArray } from './cells.js';
import type { TableSink } from './csv.js';

/** Reads a file, one column after the other, one row group at a time. @throws {DataError} for a damaged file, and columns that are no plain values */
export async function readParquet(file: string, sink: TableSink): Promise<void> {
  try {
    const buffer = await asyncBufferFromFile(file);
    const metadata = await parquetMetadataAsync(buffer);
    const names = columnNames(metadata);
    const targets = sink.columnsFor(names, 'row');
    for (const { at, column } of targets) {
      // A scan keeps what it has read: each column has its own, so that one is in memory at a time.
      const name = names[at] as string;
      const scan = await parquetScan({ file: buffer, metadata, compressors, columns: [name] });
      for (const { rowStart, rowEnd } of scan.ranges) {
        const values = await scan.readColumn({ column: name, rowStart, rowEnd });
        if (!isNumbers(values) || !column.addNumbers(values))
          for (let row = 0; row < values.length; row++) column.addValue(values[row], rowStart + row + 1);
      }
      // All columns together are the file, as nearly as a reader wants to know.
      sink.onBytes(buffer.byteLength / targets.length);
    }
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    const found = messageOf(cause).replace(/\.$/, '');
    throw new DataError({ file, expected: 'a Parquet file', found }, { cause });
  }
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

/** Columns of numbers without gaps come in typed arrays. */
function isNumbers(values: ArrayLike<unknown>): values is NumberArray {
  return ArrayBuffer.isView(values) && !(values instanceof BigInt64Array || values instanceof BigUint64Array);
}
