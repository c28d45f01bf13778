/** Asking a server about examples, whatever inputs its model has: out of JSON, an npz or a table, checked here, answered in words. */
import { existsSync } from 'node:fs';
import { DataError } from '../../lib/core/errors.js';
import { openNpz } from '../../lib/formats/data/npz.js';
import { readFileBytes } from '../../lib/formats/files/read-file.js';
import { bad, HttpProblem } from '../../lib/http/problems.js';
import { writeAnswersCsv } from '../codecs/answer-texts.js';
import { readParquetApart } from '../codecs/table-apart.js';
import { isParquet } from '../codecs/table-files.js';
import { type AskedExamples, readTableBody } from '../codecs/tables.js';
import { type NamedTensors, type RequestTensor, tensorsFor } from '../codecs/tensor.js';
import { readPredictBody } from '../codecs/tensorflow-json.js';
import { inNumbers } from '../codecs/written-numbers.js';
import { type ExampleWords, wordsOfAnswers } from '../models/answer-words.js';
import type { ServedInput } from '../models/served-facts.js';
import {
  type Question,
  rowsOf,
  type ServingClient,
  type Signature,
  serverFailure,
  toldFacts,
} from './serving-client.js';

/** What was said of each example, in words; or the numbers of each output, where the server does not tell what they mean. */
export type NumbersAnswer =
  | { readonly answers: readonly ExampleWords[] }
  | { readonly outputs: Readonly<Record<string, readonly number[]>> };

/** The same as a CSV file. */
export interface AnswersTable {
  readonly csv: Uint8Array;
  readonly count: number;
}

/** Examples as they were given. */
interface GivenExamples {
  /** For errors. */
  readonly file: string;
  readonly bytes: Uint8Array;
}

/** Examples as the inputs take them. */
interface FittedExamples {
  readonly inputs: readonly ServedInput[];
  /** In the order of the inputs. */
  readonly tensors: readonly RequestTensor[];
  readonly count: number;
}

/** As much as a request may have as JSON, at 12 bytes a number, and some more. */
const NUMBERS_PER_REQUEST = 500_000;

/** Reads what stands on the command line, or the file that is named there. @throws {DataError} where it cannot be read */
async function readGiven(input: string): Promise<GivenExamples> {
  const isJson = input.trimStart().startsWith('{') && !existsSync(input);
  if (isJson) return { file: '--input', bytes: Buffer.from(input) };
  return { file: input, bytes: await readFileBytes(input, 'examples (JSON, npz, CSV or Parquet)') };
}

/** The examples for the inputs of a model. @throws {DataError} when they cannot be read */
async function tensorsOf(
  { file, bytes }: GivenExamples,
  inputs: readonly ServedInput[],
): Promise<AskedExamples> {
  if (/\.npz$/i.test(file)) return { tensors: await tensorsOfNpz(bytes, file) };
  return asData(file, async () => {
    if (!/\.(csv|tsv|parquet)$/i.test(file)) return readPredictBody({ body: bytes });
    return (isParquet(bytes) ? readParquetApart : readTableBody)({ body: bytes, inputs });
  });
}

/** What the server's readers refuse is bad data here. */
async function asData<T>(file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (!(cause instanceof HttpProblem)) throw cause;
    const [, expected, found] = /^Expected (.*), found (.*)\.$/s.exec(cause.message) ?? [];
    const others = cause.message.replace(/\.$/, '');
    const problem =
      expected === undefined || found === undefined
        ? { expected: 'numbers as {"instances": [...]} or {"inputs": {...}}', found: `others: ${others}` }
        : { expected, found };
    throw new DataError({ file, ...problem }, { cause });
  }
}

async function tensorsOfNpz(bytes: Uint8Array, file: string): Promise<NamedTensors> {
  const archive = await openNpz(bytes, file);
  const isInput = (name: string) => name === 'x' || name.startsWith('x/');
  const names = archive.names.some(isInput) ? archive.names.filter(isInput) : archive.names;
  const tensors = names.map((name) => {
    const { shape, values } = archive.read(name);
    const own = name === 'x' ? '' : name.replace(/^x\//, '');
    const [count = 1, ...inner] = shape;
    const numbers = Float32Array.from(values as Float32Array, Number);
    return [own, { shape: [count, ...inner], values: numbers }] as const;
  });
  return Object.fromEntries(tensors);
}

/** How examples are asked about. */
interface AskOptions {
  /** Whether the answer is the text of a CSV file. */
  readonly isCsv: boolean;
}

/** The question what a model says of examples. @throws {DataError} when they cannot be read, or are not the model's inputs */
export async function numbersQuestion(
  input: string,
  options: AskOptions,
): Promise<Question<NumbersAnswer | AnswersTable>> {
  const given = await readGiven(input);
  return (client, address) => askNumbers(client, { given, address, ...options });
}

async function askNumbers(
  client: ServingClient,
  { given, address, isCsv }: AskOptions & { readonly given: GivenExamples; readonly address: string },
): Promise<NumbersAnswer | AnswersTable> {
  const signature = await client.signature();
  const facts = toldFacts(signature, address);
  const inputs = facts?.inputs ?? inputsTold(signature);
  const { tensors, kept } = await tensorsOf(given, inputs);
  const { file } = given;
  const fitted = await asData(file, async () => fit(tensors, inputs));
  const count = fitted[0]?.shape[0] ?? 1;
  const found = await askInParts(client, { inputs, tensors: fitted, signature, count });
  if (facts === undefined) {
    if (isCsv)
      throw serverFailure(address, 'its metadata do not tell what the answers mean, as --output needs');
    return { outputs: found };
  }
  const answers = rowsOf(found, { facts, count, address });
  if (!isCsv) return { answers: wordsOfAnswers(answers, count, facts) };
  return { csv: writeAnswersCsv({ answers, count, facts, kept }), count };
}

/** The inputs as a server tells them that is not ours. */
function inputsTold({ inputs }: Signature): readonly ServedInput[] {
  return Object.entries(inputs).map(([name, [, ...shape]]) => ({ name, shape }));
}

/** The tensors in the order of the inputs, in numbers. @throws {HttpProblem} */
function fit(tensors: NamedTensors, inputs: readonly ServedInput[]): readonly RequestTensor[] {
  const names = inputs.map(({ name }) => name);
  const given = tensorsFor(tensors, names);
  if (given !== undefined) return given.map((tensor, at) => inNumbers(tensor, inputs[at] as ServedInput));
  const found = Object.keys(tensors).map((name) => name || 'one without a name');
  throw bad(`the inputs of the model, ${names.join(', ')}`, found.join(', '));
}

/** Asks about all examples, as many at once as a request may have. */
async function askInParts(
  client: ServingClient,
  { inputs, tensors, signature, count }: FittedExamples & { readonly signature: Signature },
): Promise<Readonly<Record<string, readonly number[]>>> {
  const all: Record<string, number[]> = {};
  for (const part of partsOf(tensors, count)) {
    const named = part.map((tensor, at) => [(inputs[at] as ServedInput).name, tensor] as const);
    const found = await client.predict(Object.fromEntries(named), signature);
    for (const [name, values] of Object.entries(found)) {
      const before = all[name] ?? [];
      for (const value of values) before.push(value);
      all[name] = before;
    }
  }
  return all;
}

/** Tensors of so many examples that a request may have them; those of different counts are for the server to refuse. */
function partsOf(tensors: readonly RequestTensor[], count: number): readonly (readonly RequestTensor[])[] {
  if (tensors.some(({ shape }) => shape[0] !== count)) return [tensors];
  const sum = tensors.reduce((all, { values }) => all + values.length, 0);
  const step = Math.max(1, Math.floor((NUMBERS_PER_REQUEST * count) / Math.max(1, sum)));
  return Array.from({ length: Math.ceil(count / step) }, (_, part) =>
    tensors.map(({ shape: [, ...inner], values }) => {
      const [from, to] = [part * step, Math.min(count, (part + 1) * step)];
      const size = values.length / count;
      return { shape: [to - from, ...inner], values: values.subarray(from * size, to * size) };
    }),
  );
}
