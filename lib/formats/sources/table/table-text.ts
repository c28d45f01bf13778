/** What the first lines of a text tell of a table: what stands between its cells, and what its columns are called. */
import { imageOfFlat } from '../../data/input-array.js';

/** What stands between cells, the likelier first. */
const SEPARATORS: readonly string[] = [',', ';', '\t', '|'];

/** What stands between the cells of a text whose first two rows have the same number of them, at least 2; undefined for other texts. */
export function tableSeparator(text: string): string | undefined {
  const [first = '', second = ''] = firstRows(text);
  return SEPARATORS.find((separator) => {
    const names = first.split(separator);
    return (
      names.length > 1 && !/[<{[]/.test(names[0] ?? '') && second.split(separator).length === names.length
    );
  });
}

/** What most likely stands between the cells of a file that is a table: what its first row has most of. */
export function likelySeparator(text: string): string {
  const [first = ''] = firstRows(text);
  const count = (separator: string) => first.split(separator).length;
  return SEPARATORS.reduce((most, each) => (count(each) > count(most) ? each : most));
}

/** Quoted cells may hold anything, line breaks too: a word stands for each. */
function firstRows(text: string): readonly string[] {
  return text
    .replace(/^\uFEFF/, '')
    .replaceAll(/"(?:[^"]|"")*"/g, 'quoted')
    .split(/\r?\n/, 2);
}

const isText = (cell = '') => cell.trim() === '' || Number.isNaN(Number(cell));

/** Names stand above numbers, and none of them is one, unless they count the columns. */
export function isHeader(names: readonly string[], values: readonly string[]): boolean {
  return (
    names.every(isText) ||
    names.some((name, at) => isText(name) && !isText(values[at])) ||
    // Of a table without names pandas writes these: as rows they would have decimals as the next one has.
    (names.length >= LEAST_COUNTED &&
      names.every((name, at) => name === `${at}`) &&
      values.some((value) => !/^\s*[+-]?\d+\s*$/.test(value)))
  );
}

/** Fewer numbers than these may be a row that begins to count by chance. */
const LEAST_COUNTED = 4;

/** Columns that number or name the rows: pandas and R write a first one without a name, and pandas one like this into Parquet. */
export const rowLabels = (names: readonly string[]): readonly string[] =>
  names.filter(
    (name, at) =>
      /^__index_level_\d+__$/.test(name) ||
      (at === 0 && name === unnamedColumn(0) && names.some((other, place) => other !== unnamedColumn(place))),
  );

/** What a column without a name is called. */
export const unnamedColumn = (at: number): string => `column${at}`;

/** What a column of targets is mostly called. */
const TARGET = /^\W*(label|class|target|species|y)\W*$/i;

/**
 * The column of the targets, where nobody says: one of a name that says so; of pixels the first (MNIST and its like put the
 * label before them), of others the last.
 */
export function likelyTarget(names: readonly string[]): string {
  const named = names.find((name) => TARGET.test(name));
  const isPixels = imageOfFlat(names.length - 1) !== undefined;
  return named ?? names.at(isPixels ? 0 : -1) ?? '';
}
