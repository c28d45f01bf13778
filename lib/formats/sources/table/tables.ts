/** Tables: a CSV or Parquet file, or a folder of them, read by a description or as its columns suggest. */
import { basename, join } from 'node:path';
import { DataError, UsageError } from '../../../core/errors.js';
import type { TargetKind } from '../../../federation/examples.js';
import { isGzip } from '../../files/read-file.js';
import type { TableDescription } from '../description.js';
import {
  type DataPlace,
  type DataReading,
  type FoundData,
  problemText,
  type ReadData,
  type SourceKind,
  withoutTwins,
} from '../source-kind.js';
import type { ColumnFacts, Understanding } from '../understanding.js';
import type { Column } from './column.js';
import { tableArrays } from './table-arrays.js';
import { kindOf, planTable, type TablePlan } from './table-plan.js';
import { headText, readRoles, type TableFile, type TableRoles } from './table-roles.js';
import { tableSeparator } from './table-text.js';

/** The kind; csv-parse and hyparquet are loaded when a file of theirs is read. */
export const tables: SourceKind = {
  async find(place) {
    const files = tableFiles(place);
    return files.length === 0 ? undefined : foundTable(place.path, files);
  },
};

const CSV = /\.(csv|tsv)(\.gz)?$/i;
const PARQUET = /\.(parquet|pq)$/i;
const TEST = /^test(ing)?(?![a-z])/i;

/**
 * The files of a table: those for training, by name, and then those that are called test.
 *
 * @throws {DataError} where one lies there as CSV and as Parquet: its rows would count twice
 */
function tableFiles({ path, entries, head }: DataPlace): readonly TableFile[] {
  if (entries === undefined) {
    const isParquet = head.toString('latin1', 0, 4) === 'PAR1';
    const isText = CSV.test(path) || (!isGzip(head) && !head.includes(0) && isTable(head));
    return isParquet || isText ? [{ path, isParquet, isTest: false }] : [];
  }
  const names = entries
    .filter(({ name, isDirectory }) => !isDirectory && (CSV.test(name) || PARQUET.test(name)))
    .map(({ name }) => name);
  const files = withoutTwins(names).map((name) => ({
    path: join(path, name),
    isParquet: PARQUET.test(name),
    isTest: TEST.test(name),
  }));
  const stems = files.map((file) => file.path.replace(CSV, '').replace(PARQUET, ''));
  const twin = stems.findIndex((stem, at) => stems.indexOf(stem) < at);
  if (twin >= 0) {
    const [one, other] = [stems.indexOf(stems[twin] as string), twin].map((at) =>
      basename(files[at]?.path ?? ''),
    );
    throw new DataError({ file: path, expected: 'each table once', found: `${one} and ${other}` });
  }
  // Nothing but files for the test: then these are the data.
  if (files.every(({ isTest }) => isTest)) return files.map((file) => ({ ...file, isTest: false }));
  return files.sort((a, b) => Number(a.isTest) - Number(b.isTest));
}

/** A text without one of the endings, such as a download's. */
function isTable(head: Buffer): boolean {
  return tableSeparator(headText(head)) !== undefined;
}

/** A table as data, taken as its columns suggest. */
function foundTable(path: string, files: readonly TableFile[]): FoundData {
  const title = files[0]?.isParquet ? 'a Parquet file' : 'a CSV file';
  const found = {
    title: files.length === 1 ? title : `a folder of ${files.length} tables`,
    files: files.map((file) => file.path),
  };
  return {
    ...found,
    async read(reading) {
      const { targets, tell } = reading;
      const roles = await readRoles(files, { key: reading.key, ...wishOf(reading) });
      const plan = planTable(roles, { source: path, as: targets && kindOfColumn(targets) });
      const data = readAsPlanned(roles, plan, reading);
      for (const note of plan.notes) tell?.(note);
      return data;
    },
    async survey({ target, client }, reading) {
      const roles = await readRoles(files, { key: client, target, ...wishOf(reading) });
      const plan = planTable(roles, { source: path, as: undefined });
      return {
        understanding: understandingOf(roles, plan),
        read: async () => readAsPlanned(roles, plan, reading),
      };
    },
    describedBy: (description) => {
      if (description.kind !== 'table') {
        const unfit = `a description of ${description.kind}`;
        throw new DataError({ file: path, expected: 'a description of a table', found: unfit });
      }
      return { ...found, read: (reading) => readDescribed(files, description, reading) };
    },
  };
}

function readAsPlanned(
  roles: TableRoles,
  { problems, description }: TablePlan,
  reading: DataReading,
): ReadData {
  for (const problem of problems) throw problem;
  return tableArrays(roles, description, reading);
}

/** What one column of targets can be. */
const kindOfColumn = (targets: TargetKind) => (targets === 'labels' ? 'labels' : 'numbers');

async function readDescribed(
  files: readonly TableFile[],
  description: TableDescription,
  reading: DataReading,
): Promise<ReadData> {
  const { key, targets } = reading;
  const { as, column } = description.target;
  if (targets !== undefined && kindOfColumn(targets) !== as) {
    throw new UsageError(
      `The loss wants ${targets}, and the description says that ${column} is taken as ${as}: change one of them.`,
    );
  }
  const roles = await readRoles(files, { description, key, ...wishOf(reading) });
  return tableArrays(roles, description, reading);
}

/** What a reading means to who reads the columns. */
const wishOf = ({ onProgress, scratch, leavesInputs = false }: DataReading) => ({
  ...{ onProgress, scratch },
  keeps: leavesInputs ? ('all but inputs' as const) : ('all' as const),
});

function understandingOf(roles: TableRoles, { description, problems, notes }: TablePlan): Understanding {
  const columns = [...roles.inputs.values(), roles.target].concat(roles.client ?? []);
  const lacking = columns.filter(({ missing, rows }) => missing > 0 && missing < rows);
  return {
    examples: roles.rows,
    columns: roles.names.map((name) => factsOf(columns.find((column) => column.name === name) as Column)),
    description,
    problems: [
      ...problems.map(problemText),
      ...lacking.map(
        ({ name, missing }) =>
          `column ${name} lacks ${missing} values: say under missing what stands for them`,
      ),
    ],
    notes,
  };
}

function factsOf(column: Column): ColumnFacts {
  const { name, missing, least, most, sum, rows, texts } = column;
  const type = kindOf(column);
  return {
    name,
    type,
    missing,
    ...(type === 'number' ? { least, most, mean: sum / (rows - missing) } : {}),
    ...(type === 'text' || type === 'time' ? { texts: texts?.size } : {}),
  };
}
