/** Parquet files read column by column, in processes of their own: a damaged one ends or stops nothing but these. */
import { totalmem } from 'node:os';
import { DataError } from '../../../core/errors.js';
import { ApartEnded, createApart } from '../../../system/apart.js';
import { availableCores } from '../../../system/hardware.js';
import type { ColumnCopy, FoundInColumn } from './column.js';
import type { TableSink } from './csv.js';
import { addPart, type ParquetFacts, type ParquetPart } from './parquet-columns.js';
import type { CellTarget } from './plain-lines.js';

/** What a process is asked for. */
export interface ParquetWork {
  readonly file: string;
  /** Names of columns. */
  readonly columns: readonly string[];
  /** By column: where the values are counted there, and not told. */
  readonly copies: readonly (ColumnCopy | undefined)[];
}

/** What it tells on the way: values, or how many it has counted. */
export type ParquetTold = ParquetPart | { readonly counted: number };

/** What it answers when it has told all, or cannot go on. */
export type ParquetAnswer =
  | { readonly facts: ParquetFacts; readonly found: readonly (FoundInColumn | undefined)[] }
  | { readonly damage: string };

/** A row group of a column is read within seconds; one that is made to take for ever is given up. */
const MOST_CPU_MS = 20_000;
/** For files on slow volumes. */
const DEADLINE_MS = 600_000;
/** Of the memory there is; what goes beyond would have no room for what comes of it. */
const MOST_SHARE = 0.5;
const READERS = Math.min(2, availableCores());

/** Each reads one file at a time: what fails is that file. */
const readers = Array.from({ length: READERS }, () =>
  createApart<ParquetWork, ParquetAnswer, ParquetTold>({
    module: new URL('./parquet-worker.js', import.meta.url),
    deadlineMs: DEADLINE_MS,
    mostCpuMs: MOST_CPU_MS,
    mostBytes:
      (Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY) * MOST_SHARE) / READERS,
    atOnce: 1,
    isQuiet: true,
  }),
);

type Reader = (typeof readers)[number];

/**
 * Reads a file, one column after the other, one row group at a time.
 *
 * @param counts whether most columns keep no cells: all readers are started at once for them
 * @throws {DataError} for a damaged file, and columns that are no plain values
 */
export async function readParquet(file: string, sink: TableSink, counts: boolean): Promise<void> {
  const [first] = readers as [Reader];
  if (counts) for (const reader of readers) reader.start();
  const { facts } = await ask(first, { file, columns: [], copies: [] });
  const { names, rows, bytes } = facts;
  const targets = sink.columnsFor(names, 'row');
  // All columns together are the file, as nearly as a reader wants to know.
  const onValues = (count: number) => sink.onBytes((bytes * count) / (rows * targets.length));
  let failure: { readonly cause: unknown } | undefined;
  const readMine = async (reader: Reader, mine: readonly CellTarget[]): Promise<void> => {
    if (mine.length === 0) return;
    const columns = mine.map(({ at }) => names[at] as string);
    const copies = mine.map(({ column }) => column.copyToCount());
    const columnAt = (at: number) => (mine[at] as CellTarget).column;
    try {
      const { found } = await ask(reader, { file, columns, copies }, (told) => {
        if (failure !== undefined) throw new Error('What the other reader has found is enough.');
        if ('values' in told) addPart(columnAt(told.column), told);
        onValues('values' in told ? told.values.length : told.counted);
      });
      for (const [at, each] of found.entries()) if (each !== undefined) columnAt(at).take(each);
    } catch (cause) {
      failure ??= { cause };
    }
  };
  // Columns whose values come here come one after the other: whoever takes them has more to do than their reader.
  const mine: CellTarget[][] = readers.map(() => []);
  let dealt = 0;
  for (const target of targets) mine[target.column.keepsCells ? 0 : dealt++ % readers.length]?.push(target);
  await Promise.all(readers.map((reader, at) => readMine(reader, mine[at] as CellTarget[])));
  if (failure !== undefined) throw failure.cause;
}

async function ask(
  reader: Reader,
  work: ParquetWork,
  onTold?: (told: ParquetTold) => void,
): Promise<Exclude<ParquetAnswer, { readonly damage: string }>> {
  const { file } = work;
  const damaged = (found: string, cause?: Error) =>
    new DataError({ file, expected: 'a Parquet file', found }, { cause });
  const answer = await reader.ask(work, onTold).catch((error: unknown) => {
    throw error instanceof ApartEnded && error.wasReady ? damaged(howItEnded(error), error) : error;
  });
  if ('facts' in answer) return answer;
  throw damaged(answer.damage);
}

function howItEnded({ why, message }: ApartEnded): string {
  if (why === 'late') return 'one that keeps its reader busy for ever';
  return `one that ${why === 'large' ? 'fills the memory of its reader' : `ends its reader (${message})`}`;
}
