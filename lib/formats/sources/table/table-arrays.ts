/** From the columns of a table to the arrays that a model is trained on, by a description. */
import { DataError, UsageError } from '../../../core/errors.js';
import { own } from '../../../core/own.js';
import type { DataFacts } from '../../../federation/examples.js';
import { type NpyRows, rowsOfArray } from '../../data/npy.js';
import { archiveOf } from '../../data/npz.js';
import { describeLine, type TableDescription } from '../description.js';
import type { DataReading, ReadData } from '../source-kind.js';
import { filledBy, ownersOf, type Rule, targetValues } from './cell-values.js';
import { type Column, timeOf } from './column.js';
import { makeInput } from './table-input.js';
import { inputColumns, type TableRoles } from './table-roles.js';
import { filledByRows, rowsBetween, rowsListed } from './table-rows.js';

/** The arrays, one part for training and, where the table has one, one for the test. @throws {DataError} by file and line */
export function tableArrays(
  roles: TableRoles,
  description: TableDescription,
  { scratch, leavesInputs = false }: Pick<DataReading, 'scratch' | 'leavesInputs'>,
): ReadData {
  const { target, client, test, inputs } = roles;
  const { source, missing = {}, units = {} } = description;
  for (const column of [target, client, test, ...inputs.values()])
    if (column !== undefined)
      requireFit(column, {
        rule: missing[column.name],
        source,
        role: column === client ? 'owner' : column === target ? 'target' : column === test ? 'test' : 'input',
      });
  const { train, held } = dealRows(roles, description);
  const arrays: Record<string, NpyRows> = {};
  const facts: { inputs: Record<string, object>; keys?: Record<string, readonly string[]> } = { inputs: {} };
  const means: Record<string, readonly string[]> = {};
  const parts =
    held.length === 0 ? [['', train] as const] : [['_train', train] as const, ['_test', held] as const];
  const names = Object.keys(description.inputs);
  const isLarge = scratch !== undefined && roles.rows * inputs.size * 4 > scratch.memoryBytes;
  for (const [name, input] of Object.entries(description.inputs)) {
    const columns = inputColumns(input.columns, { description, names: roles.names }).map(
      (each) => (inputs.get(`${name}/${each}`) ?? inputs.get(each)) as Column,
    );
    const made = makeInput(name, { ...input, columns, missing, units, source });
    for (const [part, rows] of parts) {
      const inPieces = leavesInputs ? made.checkedRows(rows) : made.rowsInPieces(rows);
      const array = leavesInputs || isLarge ? inPieces : rowsOfArray(made.arrayOf(rows));
      arrays[names.length === 1 ? `x${part}` : `x${part}/${name}`] = array;
    }
    const nameInArrays = names.length === 1 ? 'x' : name;
    facts.inputs[nameInArrays] = made.facts;
    if (made.means.length > 0) means[nameInArrays] = made.means;
    if (!isLarge) for (const column of columns) column.forget();
  }
  const { values: targetOf, classNames } = targetValues(target, description);
  for (const [part, rows] of parts) {
    const isLabels = description.target.as === 'labels';
    const values = filledByRows(
      isLabels ? new Int32Array(rows.length) : new Float32Array(rows.length),
      rows,
      {
        column: target,
        numberOf: targetOf,
      },
    );
    const dtype = isLabels ? 'int32' : 'float32';
    arrays[`y${part}`] = rowsOfArray({ dtype, shape: [rows.length], values });
  }
  if (client !== undefined) {
    if (/^[xyw](_train|_test)?($|\/)/.test(client.name))
      throw new UsageError(
        `The column ${client.name} of ${source} cannot say whose a row is: an array has this name. Give it another.`,
      );
    const owners = ownersOf(client);
    const values = filledByRows(new Int32Array(train.length), train, {
      column: client,
      numberOf: owners.numberOf,
    });
    arrays[client.name] = rowsOfArray({ dtype: 'int32', shape: [train.length], values });
    facts.keys = { [client.name]: owners.names };
    requireTargets(client, { owners: owners.names, values, isHeld: held.length > 0, source });
  }
  for (const column of [target, client, test]) column?.forget();
  const unit = own(units, target.name);
  const told: DataFacts = {
    ...facts,
    ...(Object.keys(means).length === 0 ? {} : { means }),
    target: { column: target.name, ...(unit === undefined ? {} : { unit }) },
    ...(classNames === undefined ? {} : { classNames }),
  };
  return { arrays: archiveOf(arrays, source), facts: told, targets: description.target.as };
}

interface Fit {
  readonly rule: Rule;
  readonly source: string;
  readonly role: 'owner' | 'target' | 'test' | 'input';
}

/** @throws {DataError} for a cell of another kind, a text that the vocabulary lacks, and a missing value without a rule */
function requireFit(column: Column, { rule, source, role }: Fit): void {
  const { name, type, firstMisfit, firstOther, firstMissing, missing, rows, least, most } = column;
  const ofType = type === 'text' ? 'a text' : 'a number';
  const what = role === 'owner' ? 'an owner' : role === 'test' ? 'a time or a number' : ofType;
  const mend = describeLine(source);
  if (firstMisfit !== undefined) {
    const found = JSON.stringify(firstMisfit.text);
    throw new DataError({ file: firstMisfit.place, expected: `${what} in column ${name}`, found, mend });
  }
  // The category 0 is one of inputs: as a class it would be the first of those that are named.
  const isUnknown = rule === 'unknown' && role === 'input';
  if (firstOther !== undefined && !isUnknown && rule !== 'drop') {
    const expected = `one of the ${column.texts?.size} texts that the description names for column ${name}`;
    throw new DataError({ file: firstOther.place, expected, found: JSON.stringify(firstOther.text) });
  }
  const beyond =
    missing === rows ? undefined : [least, most].find((value) => !Number.isFinite(Math.fround(value)));
  if (type === 'number' && beyond !== undefined && (role === 'input' || role === 'target')) {
    const expected = `numbers that a 32-bit float holds in column ${name}`;
    throw new DataError({ file: source, expected, found: `${beyond}` });
  }
  if (firstMissing === undefined || rule === 'drop') return;
  const isFilled =
    type === 'text' ? isUnknown : typeof rule === 'number' || (rule === 'mean' && role === 'input');
  if (isFilled) return;
  if (rule === 'mean') {
    const found = `mean under missing, which stands for numbers of inputs alone`;
    throw new DataError({ file: firstMissing.place, expected: `${what} in column ${name}`, found, mend });
  }
  const why =
    rule === undefined
      ? 'no rule under missing says what stands for it'
      : `${rule} under missing cannot stand for it`;
  const found = `${firstMissing.text === '' ? 'nothing' : JSON.stringify(firstMissing.text)} (${missing} of ${rows} rows have none, and ${why})`;
  throw new DataError({ file: firstMissing.place, expected: `${what} in column ${name}`, found, mend });
}

/** The rows for training and those for the test, without those that a rule drops. */
function dealRows(roles: TableRoles, { test: split, missing = {}, source }: TableDescription) {
  const { target, client, test, inputs, rows, firstTestRow } = roles;
  const droppers = [target, client, test, ...inputs.values()].filter(
    (column) => column !== undefined && missing[column.name] === 'drop',
  ) as readonly Column[];
  const isDropped = (row: number) =>
    droppers.some((column) => {
      const value = column.at(row);
      return Number.isNaN(value) || (column.type === 'text' && value < 0);
    });
  const from = split === undefined ? Number.NaN : startOf(split, source);
  const timeOfCell = filledBy(test && missing[test.name]);
  const isHeld = (row: number) =>
    row >= firstTestRow || (test !== undefined && timeOfCell(test.at(row)) >= from);
  const dealt =
    droppers.length === 0 && test === undefined
      ? { train: rowsBetween(0, firstTestRow), held: rowsBetween(firstTestRow, rows) }
      : listRows(rows, { isDropped, isHeld });
  if (dealt.train.length === 0 || (split !== undefined && dealt.held.length === 0)) {
    const place =
      split === undefined ? 'that no rule drops' : `before and from ${split.from} in ${split.column}`;
    const found = `${dealt.train.length} for training and ${dealt.held.length} for the test`;
    throw new DataError({ file: source, expected: `rows ${place}`, found });
  }
  return dealt;
}

interface RowSides {
  isDropped(row: number): boolean;
  isHeld(row: number): boolean;
}

/** Rows for training from the front of one list, and those for the test from its end. */
function listRows(rows: number, { isDropped, isHeld }: RowSides) {
  const list = new Uint32Array(rows);
  let [trained, held] = [0, rows];
  for (let row = 0; row < rows; row++) {
    if (isDropped(row)) continue;
    if (isHeld(row)) list[--held] = row;
    else list[trained++] = row;
  }
  return { train: rowsListed(list.subarray(0, trained)), held: rowsListed(list.subarray(held).reverse()) };
}

/** @throws {DataError} for what is neither a number nor a time */
function startOf({ from }: NonNullable<TableDescription['test']>, source: string): number {
  const start = typeof from === 'number' ? from : timeOf(from);
  if (!Number.isNaN(start)) return start;
  throw new DataError({
    file: source,
    expected: 'test.from to be a number or a time like 2015-07-01',
    found: `${from}`,
  });
}

interface Owned {
  readonly owners: readonly string[];
  readonly values: Int32Array;
  readonly isHeld: boolean;
  readonly source: string;
}

/** @throws {DataError} for an owner all of whose rows were dropped; where rows are for the test, these may be all */
function requireTargets(client: Column, { owners, values, isHeld, source }: Owned): void {
  if (isHeld) return;
  const seen = new Set(values);
  const without = owners.find((_, owner) => !seen.has(owner));
  if (without === undefined) return;
  const expected = `a row with a target for each ${client.name}`;
  throw new DataError({ file: source, expected, found: `none of ${JSON.stringify(without)}` });
}
