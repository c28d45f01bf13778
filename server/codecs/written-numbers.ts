/** One example as people write it in the fields of a form: numbers, names of categories, a text. */
import { formatShape, sizeOf } from '../../lib/core/weights.js';
import { bad } from '../../lib/http/problems.js';
import type { ServedInput } from '../models/served-facts.js';
import { parseJson } from './json.js';
import { type RequestTensor, tensorFromLists } from './tensor.js';

/** A message names no more of them. */
const MOST_NAMED = 12;

/** What numbers stand for, and whether 0 stands for anything else. */
type Vocabulary = Pick<ServedInput, 'name' | 'categories' | 'takesUnknown'>;

/** Makes the look-up of an input's categories; `where` tells a message where a text stood. @throws {HttpProblem} 400 for one that is none of them */
export function categoryLookup({ name, categories = [], takesUnknown = false }: Vocabulary) {
  // A table's cells come without the spaces around them, with which a split has taken them.
  const numbers = new Map([
    ...categories.map((text, at) => [text.trim(), at + 1] as const),
    ...categories.map((text, at) => [text, at + 1] as const),
  ]);
  return (text: string, where: string): number => {
    const found = numbers.get(text) ?? (takesUnknown ? 0 : undefined);
    if (found !== undefined) return found;
    const some = categories.slice(0, MOST_NAMED).map((each) => JSON.stringify(each));
    const others = categories.length - some.length;
    const more = others > 0 ? ` and ${others} more` : '';
    throw bad(
      `a category of ${name} that was in the training, one of ${some.join(', ')}${more}`,
      `${JSON.stringify(text.slice(0, 80))} ${where}`,
    );
  };
}

/** A tensor of an input in numbers, where texts were given for some that have names. @throws {HttpProblem} 400 */
export function inNumbers(tensor: RequestTensor, input: Vocabulary): RequestTensor {
  const { texts, shape } = tensor;
  if (texts === undefined) return tensor;
  if (input.categories === undefined) throw bad('numbers', 'a text in example 0');
  const numberOf = categoryLookup(input);
  const size = texts.length / (shape[0] ?? 1);
  const where = (at: number) => `in example ${Math.floor(at / size)}`;
  return { shape, values: Float32Array.from(texts, (text, at) => numberOf(text, where(at))) };
}

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
