/** Many examples in a table: by the names of its columns where the model's data have names, else by their order. */
import { sizeOf } from '../../lib/core/weights.js';
import { isMissing } from '../../lib/formats/sources/table/column.js';
import type { ServedInput } from '../models/served-facts.js';
import { splitRows } from '../rows.js';
import { categoryLookup } from './categories.js';
import { readTable } from './table-files.js';
import { bad, type NamedTensors, type RequestTensor } from './tensor.js';
import { standIn, writtenNumber } from './written-numbers.js';

/** The examples of a table, and its columns that are none of the model's inputs. */
export interface TableExamples {
  readonly tensors: NamedTensors;
  readonly kept: { readonly names: readonly string[]; readonly rows: readonly (readonly string[])[] };
}

/** A number of an example, and the column that it comes from. */
interface Place {
  readonly at: number;
  readonly input: ServedInput;
  readonly column: string | undefined;
  /** What stands for a value that is missing. */
  readonly stand: number | undefined;
}

/** Reads a table for a model of these inputs. @throws {HttpProblem} 400 by the line or row */
export async function readTableBody({
  body,
  inputs,
}: {
  readonly body: Uint8Array;
  readonly inputs: readonly ServedInput[];
}): Promise<TableExamples> {
  const { names, rows, placeOf } = await readTable(body);
  if (rows.length === 0) throw bad('a table with rows', 'none');
  const places = placesIn(names, inputs);
  const width = names?.length ?? places.length;
  const lookups = new Map(
    inputs.flatMap((input) => (input.categories === undefined ? [] : [[input, categoryLookup(input)]])),
  );
  const values = new Float32Array(rows.length * places.length);
  for (const [row, cells] of rows.entries()) {
    const where = `in ${placeOf(row)}`;
    if (cells.length !== width)
      throw bad(`${width} numbers ${where}, those of all inputs of the model`, `${cells.length}`);
    for (const [to, place] of places.entries()) {
      const cell = cells[place.at] as string;
      values[row * places.length + to] = numberOfCell(cell, {
        ...{ place, where },
        lookup: lookups.get(place.input),
      });
    }
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

interface CellFacts {
  readonly place: Place;
  readonly where: string;
  readonly lookup: ReturnType<typeof categoryLookup> | undefined;
}

function numberOfCell(cell: string, { place: { column, stand }, where, lookup }: CellFacts): number {
  const isNothing = isMissing(cell);
  if (isNothing && stand !== undefined) return stand;
  if (lookup !== undefined) return lookup(cell, where);
  if (isNothing)
    throw bad(`a number ${column === undefined ? '' : `in column ${column} `}${where}`, 'nothing');
  return writtenNumber(cell, where);
}

/** Where the numbers of an example stand in a row: by name where the table has the names of all, else in the model's order. */
function placesIn(names: readonly string[] | undefined, inputs: readonly ServedInput[]): readonly Place[] {
  const wanted = inputs.flatMap((input) => {
    const size = sizeOf(input.shape);
    return Array.from({ length: size }, (_, at) => ({
      ...{ input, column: columnAt(input, at), stand: standIn(input, at) },
    }));
  });
  const found = wanted.map(({ column }) => (column === undefined ? -1 : (names?.indexOf(column) ?? -1)));
  const missing = wanted.filter((_, at) => found[at] === -1);
  if (missing.length === wanted.length) return wanted.map((each, at) => ({ ...each, at }));
  const lacking = missing.map(({ input, column }) => column ?? input.name);
  if (lacking.length > 0)
    throw bad(
      `the columns that the model takes, ${lacking.slice(0, 8).join(', ')} among them`,
      names?.slice(0, 40).join(', ') ?? 'none',
    );
  return wanted.map((each, at) => ({ ...each, at: found[at] as number }));
}

/** An input of one number is a column of its own name, where nothing else is known. */
function columnAt({ name, shape, columns }: ServedInput, at: number): string | undefined {
  return columns?.[at]?.name ?? (sizeOf(shape) === 1 ? name : undefined);
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
