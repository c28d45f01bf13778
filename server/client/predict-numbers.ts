/** Asking a server about numbers: read from JSON or an npz, answered in the words of the model's task where the server tells it. */
import { existsSync } from 'node:fs';
import { DataError } from '../../lib/core/errors.js';
import { sizeOf } from '../../lib/core/weights.js';
import { openNpz } from '../../lib/formats/data/npz.js';
import { jsonOrNothing } from '../../lib/formats/files/json-document.js';
import { readFileBytes } from '../../lib/formats/files/read-file.js';
import { type NamedTensors, tensorsFor } from '../codecs/tensor.js';
import { readPredictBody } from '../codecs/tensorflow-json.js';
import { type AnswerFacts, type ExampleWords, wordsOfAnswers } from '../models/answer-words.js';
import { HttpProblem } from '../problems.js';
import { joinRows } from '../rows.js';
import { type Question, type ServingClient, serverFailure } from './serving-client.js';

/** What was said of each example, in words; or the numbers of each output, where the server does not tell what they mean. */
export type NumbersAnswer =
  | { readonly answers: readonly ExampleWords[] }
  | { readonly outputs: Readonly<Record<string, readonly number[]>> };

/**
 * Reads `{"instances": …}` or `{"inputs": …}`, as text or out of a file, or the inputs `x`, `x/<name>` or `<name>` of an npz.
 *
 * @throws {DataError} when it is none of these
 */
async function readNumbers(input: string): Promise<NamedTensors> {
  const isText = input.trimStart().startsWith('{') && !existsSync(input);
  const bytes = isText ? Buffer.from(input) : await readFileBytes(input, 'numbers (JSON or npz)');
  const file = isText ? '--input' : input;
  if (/\.npz$/i.test(file)) return await tensorsOfNpz(bytes, file);
  try {
    return readPredictBody({ body: bytes }).tensors;
  } catch (cause) {
    if (!(cause instanceof HttpProblem)) throw cause;
    const expected = 'numbers as {"instances": [...]} or {"inputs": {...}}';
    throw new DataError({ file, expected, found: `others: ${cause.message.replace(/\.$/, '')}` }, { cause });
  }
}

async function tensorsOfNpz(bytes: Uint8Array, file: string): Promise<NamedTensors> {
  const archive = await openNpz(bytes, file);
  const isInput = (name: string) => name === 'x' || name.startsWith('x/');
  const names = archive.names.some(isInput) ? archive.names.filter(isInput) : archive.names;
  const tensors = names.map((name) => {
    const { shape, values } = archive.read(name);
    const own = name === 'x' ? '' : name.replace(/^x\//, '');
    return [own, { shape, values: Float32Array.from(values as Float32Array, Number) }] as const;
  });
  return Object.fromEntries(tensors);
}

/** The question what a model says of numbers. @throws {DataError} when they cannot be read, or are not the model's inputs */
export async function numbersQuestion(input: string): Promise<Question<NumbersAnswer>> {
  const tensors = await readNumbers(input);
  return (client, address) => askNumbers(client, { tensors, address });
}

async function askNumbers(
  client: ServingClient,
  { tensors, address }: { readonly tensors: NamedTensors; readonly address: string },
): Promise<NumbersAnswer> {
  const signature = await client.signature();
  const wanted = Object.keys(signature.inputs);
  const given = tensorsFor(tensors, wanted);
  if (given === undefined) {
    const expected = `the inputs of the model, ${wanted.join(', ')}`;
    const names = Object.keys(tensors).map((name) => name || 'one without a name');
    throw new DataError({ file: '--input', expected, found: names.join(', ') });
  }
  const inputs = Object.fromEntries(given.map((tensor, at) => [wanted[at] as string, tensor]));
  const found = await client.predict(inputs, signature);
  const facts = jsonOrNothing(signature.answers ?? '') as AnswerFacts | undefined;
  if (facts === undefined) return { outputs: found };
  const count = given[0]?.shape[0] ?? 1;
  const outputs = facts.outputs.map(({ name, shape }) => {
    const [values, size] = [found[name] ?? [], count * sizeOf(shape)];
    if (values.length === size) return Float32Array.from(values);
    throw serverFailure(address, `expected ${size} numbers of output ${name}, found ${values.length}`);
  });
  return { answers: wordsOfAnswers(joinRows(outputs, count), count, facts) };
}
