/** What the first lines of a text tell of a table: what stands between its cells, and what its columns are called. */
import { imageOfFlat } from '../../data/input-array.js';

/** How a table is written. */
export interface TableForm {
  readonly separator: string;
  /** Whether the first row holds the names of the columns. */
  readonly hasHeader: boolean;
}

/** What stands between cells, the likelier first. */
const SEPARATORS = [',', ';', '\t', '|'] as const;

/** The form of a table whose first two lines have the same number of cells, at least 2; undefined for other texts. */
export function tableForm(text: string): TableForm | undefined {
  const [first = '', second = ''] = text.replace(/^\uFEFF/, '').split(/\r?\n/, 2);
  for (const separator of SEPARATORS) {
    const [names, values] = [cellsOf(first, separator), cellsOf(second, separator)];
    if (names.length < 2 || /[<{[]/.test(names[0] ?? '')) continue;
    if (values.length === names.length) return { separator, hasHeader: isHeader(names, values) };
  }
  return undefined;
}

/** The cells of a line, for a guess: a quoted cell with a line break is cut short. */
function cellsOf(line: string, separator: string): readonly string[] {
  const cells = line.match(/"(?:[^"]|"")*"/g) === null ? line : line.replaceAll(/"(?:[^"]|"")*"/g, 'quoted');
  return cells.split(separator);
}

const isText = (cell = '') => cell.trim() === '' || Number.isNaN(Number(cell));

/** Names stand above numbers, and none of them is one. */
export function isHeader(names: readonly string[], values: readonly string[]): boolean {
  return names.every(isText) || names.some((name, at) => isText(name) && !isText(values[at]));
}

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
