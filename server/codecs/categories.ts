/** Categories by name: the whole numbers that a model was trained on for them, and one sentence for those it never saw. */
import type { ServedInput } from '../models/served-facts.js';
import { bad } from './faults.js';
import type { RequestTensor } from './tensor.js';

/** A message names no more of them. */
const MOST_NAMED = 12;

/** What numbers stand for, and whether 0 stands for anything else. */
type Vocabulary = Pick<ServedInput, 'name' | 'categories' | 'takesUnknown'>;

/** Makes the look-up of an input's categories; `where` tells a message where a text stood. @throws {HttpProblem} 400 for one that is none of them */
export function categoryLookup({ name, categories = [], takesUnknown = false }: Vocabulary) {
  const numbers = new Map(categories.map((text, at) => [text, at + 1]));
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
