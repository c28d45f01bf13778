/** How a table is understood where nobody says: a description made of what its columns hold, and what speaks against it. */
import { DataError } from '../../../core/errors.js';
import { MAX_CLASSES } from '../../../federation/examples.js';
import { imageOfFlat } from '../../data/input-array.js';
import { describeLine, type TableDescription } from '../description.js';
import type { Column } from './column.js';
import type { TableRoles } from './table-roles.js';
import { rowLabels } from './table-text.js';

/** A description, and why the table cannot be read by it yet. */
export interface TablePlan {
  readonly description: TableDescription;
  readonly problems: readonly DataError[];
  /** Sentences about what is left out. */
  readonly notes: readonly string[];
}

/** So many columns are rather called `others` than listed. */
const MAX_LISTED = 32;

/** The plan for a table at `source`; numbers stand side by side in one input, each column of texts is an input of its own. */
export function planTable(
  { names, target, client, inputs }: TableRoles,
  { source, as }: { readonly source: string; readonly as: 'labels' | 'numbers' | undefined },
): TablePlan {
  const problems: DataError[] = [];
  const notes: string[] = [];
  const numbers: Column[] = [];
  const categories: Column[] = [];
  const ignored: string[] = [];
  const leaveOut = (column: Column, why: string) => {
    ignored.push(column.name);
    notes.push(`column ${column.name} ${why}: left out`);
  };
  const labelsOfRows = rowLabels(names);
  for (const column of inputs.values()) {
    const kind = kindOf(column);
    if (labelsOfRows.includes(column.name))
      leaveOut(column, 'numbers or names the rows, as pandas and R write it');
    else if (kind === 'mixed') {
      problems.push(mixedColumn(column, source));
      leaveOut(column, 'mixes numbers and texts');
    } else if (kind === 'empty') leaveOut(column, 'has no values');
    else if (kind === 'time') leaveOut(column, 'holds times');
    else if (kind === 'number') numbers.push(column);
    else if ((column.texts?.size ?? MAX_CLASSES + 1) > MAX_CLASSES)
      leaveOut(column, `has more than ${MAX_CLASSES} different texts`);
    else categories.push(column);
  }
  for (const column of [target, ...categories]) {
    const text = decimalComma(column);
    const expected = `a decimal point in the numbers of column ${column.name}, or a description that lists them as texts`;
    if (text !== undefined)
      problems.push(new DataError({ file: source, expected, found: JSON.stringify(text) }));
  }
  if (kindOf(target) === 'mixed') problems.push(mixedColumn(target, source));
  if (numbers.length + categories.length === 0) {
    const found = notes.join('; ') || `the column ${target.name} alone`;
    problems.push(new DataError({ file: source, expected: 'columns to learn from', found }));
  }
  const image = categories.length === 0 ? imageOf(numbers) : undefined;
  const side =
    image !== undefined && numbers.length > MAX_LISTED ? 'others' : numbers.map(({ name }) => name);
  const description: TableDescription = {
    kind: 'table',
    source,
    target: { column: target.name, ...targetOf(target, as) },
    ...(client === undefined ? {} : { client: client.name }),
    inputs: {
      ...(numbers.length === 0
        ? {}
        : { [freeName(names)]: { columns: [...side].length === 0 ? [] : side, ...image } }),
      ...Object.fromEntries(
        categories.map((column) => [
          column.name.replaceAll('/', '-'),
          { columns: [column.name], categories: sortedTexts(column) },
        ]),
      ),
    },
    ...(ignored.length === 0 ? {} : { ignored }),
  };
  const { as: targetAs, classes = [] } = description.target;
  if (
    targetAs === 'labels' &&
    target.type === 'number' &&
    !classes.every((name) => Number.isSafeInteger(Number(name)))
  ) {
    const expected = `whole numbers up to 2^53, or a description that lists the classes, in column ${target.name}`;
    problems.push(
      new DataError({ file: source, expected, found: `classes that are rounded to ${classes.join(', ')}` }),
    );
  }
  return { description, problems, notes };
}

/** What a column holds. */
export function kindOf({ type, firstMisfit, rows, missing, isTime }: Column) {
  if (firstMisfit !== undefined) return 'mixed';
  if (rows === missing) return 'empty';
  if (type === 'text') return isTime ? 'time' : 'text';
  return 'number';
}

/** The texts of a column in the order of their code units. */
export function sortedTexts({ texts }: Column): string[] {
  return [...(texts?.keys() ?? [])].sort();
}

/** The first text of a column of nothing but numbers like 1,5: taken as texts they would be nothing to compute with. */
function decimalComma({ type, texts = new Map() }: Column): string | undefined {
  const all: readonly string[] = [...texts.keys()];
  return type === 'text' && all.every((text) => /^\s*[+-]?\d+,\d+\s*$/.test(text)) ? all[0] : undefined;
}

/** What a column of targets is taken as: texts are labels, and so are whole numbers that look like classes. */
function targetOf(
  target: Column,
  as: 'labels' | 'numbers' | undefined,
): Pick<TableDescription['target'], 'as' | 'classes'> {
  if (target.type === 'text') return { as: as ?? 'labels', classes: sortedTexts(target) };
  if (!target.isWhole || (as ?? (areClasses(target) ? 'labels' : 'numbers')) === 'numbers')
    return { as: as ?? 'numbers' };
  const { least, wholes } = target;
  // Labels from 0 need no names; other numbers are the names of theirs.
  if (least === 0 || wholes === undefined) return { as: 'labels' };
  return { as: 'labels', classes: [...wholes].sort((a, b) => a - b).map(String) };
}

/** Whole numbers are classes where there are so few, whichever they are. */
const FEW_CLASSES = 20;

/** Whether whole numbers look like classes, not like amounts: few different ones, or all from 0 or 1 to the largest. */
const areClasses = ({ least, most, wholes }: Column) =>
  wholes !== undefined &&
  (wholes.size <= FEW_CLASSES || ((least === 0 || least === 1) && wholes.size === most - least + 1));

/** A picture that the columns are the pixels of. */
function imageOf(numbers: readonly Column[]) {
  const shape = imageOfFlat(numbers.length)?.split(', ').map(Number);
  const isByte = ({ isWhole, least, most }: Column) => isWhole && least >= 0 && most <= 255;
  if (shape === undefined || !numbers.every(isByte)) return undefined;
  return { shape, type: 'uint8' as const };
}

const freeName = (names: readonly string[]) => (names.includes('numbers') ? 'all numbers' : 'numbers');

function mixedColumn({ name, type, firstMisfit }: Column, source: string): DataError {
  const { place, text } = firstMisfit as NonNullable<Column['firstMisfit']>;
  const expected =
    type === undefined
      ? `numbers, texts or times in column ${name}`
      : `a ${type} in column ${name} as in the rows before it`;
  return new DataError({ file: place, expected, found: JSON.stringify(text), mend: describeLine(source) });
}
