/** Numbers as people write them: in the fields of a form, and in a file with a line for each example. */
import { formatShape, sizeOf } from '../../lib/core/weights.js';
import { splitRows } from '../rows.js';
import { parseJson } from './json.js';
import { bad, type NamedTensors, type RequestTensor, tensorFromLists } from './tensor.js';

/** An input that numbers are for. */
interface WantedInput {
  readonly name: string;
  /** Of one example. */
  readonly shape: readonly number[];
}

/** One example: of each input what stands in its fields. @throws {HttpProblem} 400 */
export function tensorsOfFields(
  given: Readonly<Record<string, readonly string[]>>,
  inputs: readonly WantedInput[],
): NamedTensors {
  return Object.fromEntries(
    inputs.map((input) => [input.name, tensorOfFields(given[input.name] ?? [], input)]),
  );
}

function tensorOfFields(texts: readonly string[], { name, shape }: WantedInput): RequestTensor {
  const [first = ''] = texts;
  if (texts.length === 1 && first.trim().startsWith('['))
    return tensorFromLists([parseJson(Buffer.from(first))]);
  const parts = texts.length === 1 ? first.split(/[\s,;]+/).filter((part) => part !== '') : texts;
  const size = sizeOf(shape);
  const missing = parts.findIndex((part) => part.trim() === '');
  if (missing >= 0 || parts.length !== size)
    throw bad(
      `${size} numbers for ${name}${shape.length > 1 ? `, ${formatShape(shape)}` : ''}`,
      missing >= 0 ? `none in field ${missing + 1}` : `${parts.length}`,
    );
  return tensorFromLists([parts.map((part) => numberOf(part, `for ${name}`))]);
}

function numberOf(text: string, where: string): number {
  const value = Number(text);
  if (Number.isNaN(value)) throw bad(`numbers ${where}`, `"${text.slice(0, 40)}"`);
  return value;
}

/**
 * CSV, a line for each example: the numbers of all inputs one after the other; a first line of names is passed over.
 *
 * @throws {HttpProblem} 400
 */
export function readCsvBody({
  body,
  inputs,
}: {
  readonly body: Uint8Array;
  readonly inputs: readonly WantedInput[];
}): NamedTensors {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  const cells = (line: string) => line.split(/[,;\t]/).map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'));
  const isHeader = cells(lines[0] ?? '').some((cell) => Number.isNaN(Number(cell)));
  const from = isHeader ? 1 : 0;
  const sizes = inputs.map(({ shape }) => sizeOf(shape));
  const size = sizes.reduce((sum, each) => sum + each, 0);
  const rows = lines.slice(from).map((line, at) => {
    const where = `in line ${at + from + 1}`;
    const numbers = cells(line).map((cell) => numberOf(cell === '' ? 'nothing' : cell, where));
    if (numbers.length === size) return numbers;
    throw bad(`${size} numbers ${where}, those of all inputs of the model`, `${numbers.length}`);
  });
  const tensors = splitRows(tensorFromLists(rows).values, sizes).map(
    (values, at): [string, RequestTensor] => {
      const { name } = inputs[at] as WantedInput;
      return [name, { shape: [rows.length, values.length / rows.length], values }];
    },
  );
  return Object.fromEntries(tensors);
}
