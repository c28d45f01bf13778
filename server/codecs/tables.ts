/** Many examples in a table: by the names of its columns where the model's data have names, else by their order. */
import { sizeOf } from '../../lib/core/weights.js';
import { isMissing } from '../../lib/formats/sources/table/column.js';
import { bad } from '../../lib/http/problems.js';
import { columnNames, type ServedInput } from '../models/served-facts.js';
import { splitRows } from '../rows.js';
import { readTable } from './table-files.js';
import type { NamedTensors, RequestTensor } from './tensor.js';
import { categoryLookup, standIn, writtenNumber } from './written-numbers.js';

/** The examples of a table, and its columns that are none of the model's inputs. */
export interface TableExamples {
  readonly tensors: NamedTensors;
  readonly kept: { readonly names: readonly string[]; readonly rows: readonly (readonly string[])[] };
}

/** Examples of a table, or of something that has no other columns. */
export type AskedExamples = Pick<TableExamples, 'tensors'> & Partial<TableExamples>;

/** A number of an example in a row: which cell it is, and how that is read; `where` tells a message where it stands. */
interface Place {
  readonly at: number;
  readonly read: (cell: string, where: string) => number;
}

/** A file, and what the model takes of it. */
export interface TableRequest {
  readonly body: Uint8Array;
  readonly inputs: readonly ServedInput[];
}

/** Reads a table for a model of these inputs. @throws {HttpProblem} 400 by the line or row */
export async function readTableBody({ body, inputs }: TableRequest): Promise<TableExamples> {
  const { names, rows, placeOf } = await readTable(body);
  if (rows.length === 0) throw bad('a table with rows', 'none');
  const places = placesIn(names, inputs);
  const width = names?.length ?? places.length;
  const values = new Float32Array(rows.length * places.length);
  for (const [row, cells] of rows.entries()) {
    const where = `in ${placeOf(row)}`;
    if (cells.length !== width)
      throw bad(`${width} numbers ${where}, those of all inputs of the model`, `${cells.length}`);
    for (const [to, { at, read }] of places.entries())
      values[row * places.length + to] = read(cells[at] as string, where);
  }
  const used = new Set(places.map(({ at }) => at));
  const others = (names ?? []).map((_, at) => at).filter((at) => !used.has(at));
  return {
    tensors: tensorsOf(values, inputs),
    kept: {
      names: others.map((at) => names?.[at] as string),
      rows: others.length === 0 ? [] : rows.map((cells) => others.map((at) => cells[at] as string)),
    },
  };
}

/** Where the numbers of an example stand in a row: by name where the table has the names of all, else in the model's order. */
function placesIn(names: readonly string[] | undefined, inputs: readonly ServedInput[]): readonly Place[] {
  const wanted = inputs.flatMap((input) => {
    const columns = columnNames(input);
    const lookup = input.categories && categoryLookup(input);
    return Array.from({ length: sizeOf(input.shape) }, (_, at) => {
      const column = columns[at];
      const read = cellReader({ column, stand: standIn(input, at), lookup });
      return {
        column: column ?? input.name,
        read,
        at: column === undefined ? -1 : (names?.indexOf(column) ?? -1),
      };
    });
  });
  const missing = wanted.filter(({ at }) => at === -1);
  // Names of a table's own stand for the order, as long as there are enough of them.
  const areEnough = (names?.length ?? wanted.length) >= wanted.length;
  if (missing.length === wanted.length && areEnough) return wanted.map(({ read }, at) => ({ read, at }));
  if (missing.length === 0) return wanted;
  throw bad(
    `the columns that the model takes, ${missing
      .slice(0, 8)
      .map(({ column }) => column)
      .join(', ')} among them`,
    names?.slice(0, 40).join(', ') ?? 'none',
  );
}

interface CellFacts {
  readonly column: string | undefined;
  /** What stands for a value that is missing. */
  readonly stand: number | undefined;
  /** Of categories. */
  readonly lookup: ReturnType<typeof categoryLookup> | undefined;
}

function cellReader({ column, stand, lookup }: CellFacts): Place['read'] {
  return (cell, where) => {
    const isNothing = isMissing(cell);
    // Of Parquet a category may be called NA; where 0 stands for others, it does so for nothing, too.
    if (lookup !== undefined) return lookup(cell, where);
    if (isNothing && stand !== undefined) return stand;
    if (!isNothing) return writtenNumber(cell, where);
    throw bad(`a number ${column === undefined ? '' : `in column ${column} `}${where}`, 'nothing');
  };
}

function tensorsOf(values: Float32Array, inputs: readonly ServedInput[]): NamedTensors {
  const sizes = inputs.map(({ shape }) => sizeOf(shape));
  const count = values.length / sizes.reduce((sum, size) => sum + size, 0);
  const tensors = splitRows(values, sizes).map((own, at): [string, RequestTensor] => {
    const { name } = inputs[at] as ServedInput;
    return [name, { shape: [count, own.length / count], values: own }];
  });
  return Object.fromEntries(tensors);
}
