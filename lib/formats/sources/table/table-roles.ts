/** What the columns of a table are read for, and reading them for it: each role of a column is a column of its own. */
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { constants, gunzipSync } from 'node:zlib';
import { DataError } from '../../../core/errors.js';
import { isGzip, readHead } from '../../files/read-file.js';
import type { ScratchFile } from '../../files/scratch-file.js';
import type { TableDescription } from '../description.js';
import type { OnReadProgress } from '../source-kind.js';
import { CellStore } from './cells.js';
import { Column, type ColumnNeed } from './column.js';
import type { TableSink } from './csv.js';
import { likelySeparator, likelyTarget, rowLabels } from './table-text.js';

/** A file with a table. */
export interface TableFile {
  readonly path: string;
  readonly isParquet: boolean;
  /** Whether its rows are for the test. */
  readonly isTest: boolean;
}

/** The columns of a table, by what they are read for. */
export interface TableRoles {
  /** Names of all columns, as they stand in the files. */
  readonly names: readonly string[];
  readonly target: Column;
  readonly client: Column | undefined;
  readonly test: Column | undefined;
  /** By name, or `<input>/<name>` where a description has inputs: two may read the same column in different ways. */
  readonly inputs: ReadonlyMap<string, Column>;
  readonly rows: number;
  /** Rows from this one on come from files for the test. */
  readonly firstTestRow: number;
}

/** What is asked of a table. */
interface TableWish {
  readonly description?: TableDescription | undefined;
  /** The column that says whose a row is. */
  readonly key?: string | undefined;
  /** The column of the targets, where nothing describes the table. */
  readonly target?: string | undefined;
  /** What of the cells is kept. */
  readonly keeps: 'all' | 'all but inputs';
  /** Takes what is more than memory holds. */
  readonly scratch?: ScratchFile | undefined;
  readonly onProgress?: OnReadProgress | undefined;
}

/** Reads the files one after the other. @throws {DataError} by file and line for rows that cannot be read, and columns that differ */
export async function readRoles(files: readonly TableFile[], wish: TableWish): Promise<TableRoles> {
  let roles: Omit<TableRoles, 'rows' | 'firstTestRow'> | undefined;
  let firstFile = '';
  let [rows, firstTestRow, doneBytes] = [0, Number.POSITIVE_INFINITY, 0];
  const total = await sizeOfFiles(files);
  const countRows = () => roles?.target.rows ?? 0;
  for (const { path, isParquet, isTest } of files) {
    if (isTest) firstTestRow = Math.min(firstTestRow, countRows());
    const sink: TableSink = {
      columnsFor(names, unit) {
        requireDistinct(names, path);
        if (roles === undefined) {
          roles = rolesOf(names, wish, path);
          firstFile = path;
        }
        requireSameColumns(names, { expected: roles.names, path, firstFile });
        const all = [roles.target, roles.client, roles.test, ...roles.inputs.values()];
        const columns = all.filter((column) => column !== undefined);
        for (const column of columns) column.begin(path, unit);
        return columns.map((column) => ({ at: names.indexOf(column.name), column }));
      },
      onBytes(bytes) {
        doneBytes += bytes;
        wish.onProgress?.({ done: doneBytes, total, unit: 'bytes' });
      },
    };
    if (isParquet) await (await import('./parquet.js')).readParquet(path, sink, wish.keeps !== 'all');
    else await (await import('./csv.js')).readCsv(path, await formOf(path), sink);
    if (countRows() === rows)
      throw new DataError({ file: path, expected: 'a table with rows', found: 'none' });
    rows = countRows();
  }
  if (roles === undefined)
    throw new DataError({ file: files[0]?.path ?? '', expected: 'a table', found: 'none' });
  return { ...roles, rows, firstTestRow: Math.min(firstTestRow, rows) };
}

async function sizeOfFiles(files: readonly TableFile[]): Promise<number> {
  const sizes = await Promise.all(files.map(({ path }) => stat(path)));
  return sizes.reduce((sum, { size }) => sum + size, 0);
}

/** @throws {DataError} for columns that there are not */
function rolesOf(names: readonly string[], wish: TableWish, file: string) {
  const { description, key, keeps } = wish;
  const inputCells = keeps === 'all' ? 'cells' : 'nothing';
  const store = new CellStore(names.length, wish.scratch);
  const column = (name: string, need: Omit<ColumnNeed, 'keep'>, keep: ColumnNeed['keep'] = 'cells') => {
    if (names.includes(name)) return new Column(name, { ...need, keep }, store);
    throw new DataError({ file, expected: `a column ${name}`, found: `columns ${shortList(names)}` });
  };
  const ownerName = key ?? description?.client;
  const client = ownerName === undefined ? undefined : column(ownerName, { as: 'text' });
  if (description === undefined) {
    const passedOver = new Set([ownerName, ...rowLabels(names)]);
    const targetName = wish.target ?? likelyTarget(names.filter((name) => !passedOver.has(name)));
    const others = names.filter((name) => name !== targetName && name !== ownerName);
    return {
      names,
      target: column(targetName, { as: 'auto' }, 'exact cells'),
      client,
      test: undefined,
      inputs: new Map(others.map((name) => [name, column(name, { as: 'auto' }, inputCells)])),
    };
  }
  const { target, test, inputs, missing = {}, units = {}, ignored = [] } = description;
  const { as, classes } = target;
  for (const [field, listed] of Object.entries({
    missing: Object.keys(missing),
    units: Object.keys(units),
    ignored,
  })) {
    const absent = listed.find((name) => !names.includes(name));
    if (absent === undefined) continue;
    const expected = `a column ${absent}, which the description names under ${field}`;
    throw new DataError({ file, expected, found: `columns ${shortList(names)}` });
  }
  const listed = Object.entries(inputs).flatMap(([input, { columns, categories }]) =>
    inputColumns(columns, { description, names }).map((name) => {
      // Cells that leave a row out are needed to know which rows there are.
      const keep = missing[name] === 'drop' ? 'cells' : inputCells;
      const vocabulary = categories === 'all' ? undefined : categories;
      const need: Omit<ColumnNeed, 'keep'> =
        categories === undefined ? { as: 'number' } : { as: 'text', vocabulary };
      return [`${input}/${name}`, column(name, need, keep)] as const;
    }),
  );
  const targetNeed: Omit<ColumnNeed, 'keep'> =
    classes === undefined
      ? { as: as === 'numbers' ? 'number' : 'auto' }
      : { as: 'text', vocabulary: classes };
  const roles = {
    names,
    target: column(target.column, targetNeed, 'exact cells'),
    client,
    test: test && column(test.column, { as: 'time' }),
    inputs: new Map(listed),
  };
  const read = [
    target.column,
    ownerName,
    description.client,
    test?.column,
    ...listed.map(([, { name }]) => name),
  ];
  const unread = Object.keys(missing).find((name) => !read.includes(name));
  if (unread !== undefined) {
    const expected = `no rule under missing for column ${unread}, of which nothing is made`;
    throw new DataError({ file, expected, found: `${missing[unread]}` });
  }
  return roles;
}

/** The columns of an input: those that it names, or all that nothing else does. */
export function inputColumns(
  columns: readonly string[] | 'others',
  { description, names }: { readonly description: TableDescription; readonly names: readonly string[] },
): readonly string[] {
  if (columns !== 'others') return columns;
  const { target, client, test, inputs, ignored = [] } = description;
  const taken = new Set([target.column, client, test?.column, ...ignored]);
  for (const input of Object.values(inputs))
    if (input.columns !== 'others') for (const name of input.columns) taken.add(name);
  return names.filter((name) => !taken.has(name));
}

function requireDistinct(names: readonly string[], file: string): void {
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined)
    throw new DataError({ file, expected: 'columns of different names', found: `${twice} twice` });
}

function requireSameColumns(
  names: readonly string[],
  {
    expected,
    path,
    firstFile,
  }: { readonly expected: readonly string[]; readonly path: string; readonly firstFile: string },
): void {
  if (names.length === expected.length && expected.every((name) => names.includes(name))) return;
  const like = `the columns ${shortList(expected)} like ${basename(firstFile)}`;
  throw new DataError({ file: path, expected: like, found: shortList(names) });
}

/** Names for a message. */
function shortList(names: readonly string[]): string {
  const shown = names.slice(0, 8).join(', ');
  return names.length > 8 ? `${shown}, … (${names.length})` : shown;
}

/** How a table is written. */
async function formOf(path: string) {
  const head = await readHead(path).catch((cause: NodeJS.ErrnoException) => {
    throw new DataError({ file: path, expected: 'a CSV file', found: `${cause.code}` }, { cause });
  });
  return { isZipped: isGzip(head), separator: likelySeparator(headText(head)) };
}

/** As much text as the first bytes of a file hold; none of damaged ones, which the reader complains of. */
export function headText(head: Buffer): string {
  if (!isGzip(head)) return head.toString('utf8');
  try {
    return gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: 1e8 }).toString('utf8');
  } catch {
    return '';
  }
}
