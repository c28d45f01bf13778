/** One example as people write it in the fields of a form: numbers, names of categories, a text. */
import { formatShape, sizeOf } from '../../lib/core/weights.js';
import type { ServedInput } from '../models/served-facts.js';
import { categoryLookup } from './categories.js';
import { bad } from './faults.js';
import { parseJson } from './json.js';
import { type RequestTensor, tensorFromLists } from './tensor.js';

/** Columns of a table that share categories of one character may be grades; more of them are a sequence. */
const MOST_GRADES = 16;

/** Whether an input is written as a text: each number stands for a character. */
export function isText({ shape, categories, columns }: ServedInput): boolean {
  const least = columns === undefined ? 1 : MOST_GRADES;
  return sizeOf(shape) > least && categories?.every((each) => [...each].length === 1) === true;
}

/** What stands in the fields of an input. @throws {HttpProblem} 400 */
export function tensorOfFields(texts: readonly string[], input: ServedInput): RequestTensor {
  const { name, shape, categories } = input;
  const [first = ''] = texts;
  if (texts.length === 1 && first.trim().startsWith('['))
    return tensorFromLists([parseJson(Buffer.from(first))]);
  const size = sizeOf(shape);
  if (texts.length === 1 && isText(input)) return tensorOfText(first, input);
  const isList = texts.length === 1 && size > 1;
  const parts = isList ? first.split(/[\s,;]+/).filter((part) => part !== '') : texts;
  const missing = parts.findIndex((part, at) => part.trim() === '' && standIn(input, at) === undefined);
  if (missing >= 0 || parts.length !== size) {
    const what = categories === undefined ? 'number' : 'category';
    const plural = size === 1 ? what : what.replace(/y$/, 'ie').concat('s');
    throw bad(
      `${size} ${plural} for ${name}${shape.length > 1 ? `, ${formatShape(shape)}` : ''}`,
      missing >= 0 ? `none in field ${nameOfField(input, missing)}` : `${parts.length}`,
    );
  }
  const numberOf = categories === undefined ? undefined : categoryLookup(input);
  return tensorFromLists([
    parts.map((part, at) => {
      if (part.trim() === '') return standIn(input, at) ?? 0;
      const where = `in field ${nameOfField(input, at)}`;
      return numberOf?.(part, where) ?? writtenNumber(part, `for ${name}`);
    }),
  ]);
}

/** What stands for a number of an example that is missing, where the training had something that does. */
export function standIn({ columns, takesUnknown }: ServedInput, at: number): number | undefined {
  return columns?.[at]?.missing ?? (takesUnknown ? 0 : undefined);
}

function nameOfField({ columns }: ServedInput, at: number): string {
  return columns?.[at]?.name ?? String(at + 1);
}

/** The last characters of a text, as many as the model takes. */
function tensorOfText(text: string, input: ServedInput): RequestTensor {
  const size = sizeOf(input.shape);
  const characters = [...text.replaceAll('\r\n', '\n')];
  if (characters.length < size)
    throw bad(`at least ${size} characters for ${input.name}`, `${characters.length}`);
  const numberOf = categoryLookup(input);
  return tensorFromLists([
    characters.slice(-size).map((each) => numberOf(each, `in the text for ${input.name}`)),
  ]);
}

/** A number. @throws {HttpProblem} 400 for what is none; `where` tells its message what it is for */
export function writtenNumber(text: string, where: string): number {
  const value = Number(text);
  if (Number.isNaN(value)) throw bad(`numbers ${where}`, `"${text.slice(0, 40)}"`);
  return value;
}
