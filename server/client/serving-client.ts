/** What a client of TensorFlow Serving can ask, by whichever protocol. */
import { StageError } from '../../lib/core/errors.js';
import { own } from '../../lib/core/own.js';
import { sizeOf } from '../../lib/core/weights.js';
import { jsonOrNothing } from '../../lib/formats/files/json-document.js';
import { type AnswerFacts, answerFactsSchema } from '../models/served-facts.js';
import { joinRows } from '../rows.js';

/** Which server, and which model on it. */
export interface ServingClientOptions {
  readonly host: string;
  readonly port: number;
  readonly model: string;
  readonly signatureName: string;
  readonly tls?: boolean;
  /** A bearer token. */
  readonly token?: string;
  readonly signal: AbortSignal;
}

/** What a model takes and gives. */
export interface Signature {
  /** Shape of each input, `[-1, h, w, c]`, by its name. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly outputs: readonly string[];
  /** Which numbers are black and white in the input, where the server says so. */
  readonly scale?: string | undefined;
  /** What the outputs mean, as JSON, where the server says so. */
  readonly answers?: string | undefined;
}

/** Numbers for one input: `[n, …]`. */
export interface GivenTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** A client; what it throws is a {@link StageError} that says what the server said. */
export interface ServingClient {
  signature(): Promise<Signature>;
  /** What the model says: for each output the numbers of all examples, one after the other. */
  predict(
    inputs: Readonly<Record<string, GivenTensor>>,
    signature: Signature,
  ): Promise<Readonly<Record<string, readonly number[]>>>;
  close(): void;
}

/** What is asked, by whichever protocol; `address` is that of the server, for errors. */
export type Question<Answer> = (client: ServingClient, address: string) => Promise<Answer>;

/** What the server tells of inputs and answers; undefined where it tells nothing. @throws {StageError} for what is not known here */
export function toldFacts({ answers }: Signature, address: string): AnswerFacts | undefined {
  if (answers === undefined) return undefined;
  const read = answerFactsSchema.safeParse(jsonOrNothing(answers));
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const where = issue?.path.join('.') || 'the whole of it';
  throw serverFailure(
    address,
    `its metadata tell what answers mean in a way that is not known here (${where}: ${issue?.message}); is it a later version of fedbatch?`,
  );
}

/** What was said of `count` examples in rows of all outputs. @throws {StageError} where that is not what the server told */
export function rowsOf(
  said: Readonly<Record<string, readonly number[]>>,
  {
    facts,
    count,
    address,
  }: { readonly facts: AnswerFacts; readonly count: number; readonly address: string },
): Float32Array {
  const outputs = facts.outputs.map(({ name, shape }) => {
    const [values, size] = [own(said, name) ?? [], count * sizeOf(shape)];
    if (values.length === size) return Float32Array.from(values);
    throw serverFailure(address, `expected ${size} numbers of output ${name}, found ${values.length}`);
  });
  return joinRows(outputs, count);
}

/** A failure of the server, or on the way to it. */
export function serverFailure(address: string, reason: string, cause?: unknown): StageError {
  return new StageError('predict', `${address}: ${reason.replace(/\.$/, '')}.`, { cause });
}

/** The model is there, and has no signature of this name. */
export function noSignature(address: string, name: string, others: readonly string[]): StageError {
  return serverFailure(
    address,
    `the model has no signature ${name}; it has ${others.join(' and ') || 'none'}`,
  );
}

/** Something answers at the port, and it does not speak the protocol that it was asked by. */
export class OtherProtocolError extends StageError {}

/** The signature's only input and output, with the shape of the input. */
export function onlySignature(address: string, { inputs, outputs }: Signature) {
  const [input, ...others] = Object.entries(inputs);
  const [output] = outputs;
  if (input === undefined || output === undefined || others.length > 0 || outputs.length > 1)
    throw noPictureModel(address);
  return { input: input[0], shape: input[1], output };
}

/** A picture is not what the model takes, or not all of it. */
export function noPictureModel(address: string): StageError {
  return serverFailure(
    address,
    'expected a model of one input and one output for a picture; give one of several its numbers with --input',
  );
}
