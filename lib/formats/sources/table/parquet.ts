/** Parquet files read column by column, in a process of its own: a damaged one ends or stops nothing but that. */
import { totalmem } from 'node:os';
import { DataError } from '../../../core/errors.js';
import { ApartEnded, createApart } from '../../../system/apart.js';
import type { NumberArray } from './cells.js';
import type { TableSink } from './csv.js';
import type { ParquetFacts, ParquetPart, ParquetRequest } from './parquet-columns.js';

/** What the process answers when it has told all parts, or cannot go on. */
export type ParquetAnswer = { readonly facts: ParquetFacts } | { readonly damage: string };

/** A row group of a column is read within seconds; one that is made to take for ever is given up. */
const MOST_CPU_MS = 20_000;
/** For files on slow volumes. */
const DEADLINE_MS = 600_000;

/** One file at a time: what fails is that file. */
const reader = createApart<ParquetRequest, ParquetAnswer, ParquetPart>({
  module: new URL('./parquet-worker.js', import.meta.url),
  deadlineMs: DEADLINE_MS,
  mostCpuMs: MOST_CPU_MS,
  // What goes beyond would have no room for what comes of it.
  mostBytes: Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY) / 2,
  atOnce: 1,
  isQuiet: true,
});

/** Reads a file, one column after the other, one row group at a time. @throws {DataError} for a damaged file, and columns that are no plain values */
export async function readParquet(file: string, sink: TableSink): Promise<void> {
  const { names, rows, bytes } = await ask({ file, columns: [] });
  const targets = sink.columnsFor(names, 'row');
  const columns = targets.map(({ at }) => names[at] as string);
  await ask({ file, columns }, ({ column: at, row, values, texts }) => {
    const { column } = targets[at] as (typeof targets)[number];
    if (texts !== undefined && values instanceof Int32Array) column.addTexts(values, texts, row + 1);
    else if (!isNumbers(values) || !column.addNumbers(values, row + 1))
      for (let each = 0; each < values.length; each++) column.addValue(values[each], row + each + 1);
    // All columns together are the file, as nearly as a reader wants to know.
    sink.onBytes((bytes * values.length) / (rows * targets.length));
  });
}

async function ask(
  request: ParquetRequest & { readonly file: string },
  onPart?: (part: ParquetPart) => void,
): Promise<ParquetFacts> {
  const { file } = request;
  const damaged = (found: string, cause?: Error) =>
    new DataError({ file, expected: 'a Parquet file', found }, { cause });
  const answer = await reader.ask(request, onPart).catch((error: unknown) => {
    throw error instanceof ApartEnded && error.wasReady ? damaged(howItEnded(error), error) : error;
  });
  if ('facts' in answer) return answer.facts;
  throw damaged(answer.damage);
}

function howItEnded({ why, message }: ApartEnded): string {
  if (why === 'late') return 'one that keeps its reader busy for ever';
  return `one that ${why === 'large' ? 'fills the memory of its reader' : `ends its reader (${message})`}`;
}

/** Columns of numbers without gaps come in typed arrays. */
function isNumbers(values: ArrayLike<unknown>): values is NumberArray {
  return ArrayBuffer.isView(values) && !(values instanceof BigInt64Array || values instanceof BigUint64Array);
}
