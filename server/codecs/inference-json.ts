/** Bodies of the Open Inference Protocol, version 2, with its extension for binary tensors: requests to tensors and back. */
import { sizeOf } from '../../lib/core/weights.js';
import { HttpProblem } from '../../lib/http/problems.js';
import { type Answers, columnsOf, withoutNoise } from './answers.js';
import { parseJson, requireObject } from './json.js';
import { MOST_DIMENSIONS, NumberLists } from './number-lists.js';
import {
  describe,
  isNumberType,
  type NamedTensors,
  type RequestTensor,
  tensorFromBytes,
  tensorFromNumbers,
  tensorFromTexts,
  tensorInShape,
} from './tensor.js';

/** Header that says how many bytes of a body are JSON; the tensors' bytes follow. */
export const HEADER_LENGTH = 'Inference-Header-Content-Length';

/** A request of `/infer`. */
export interface InferBody {
  readonly tensors: NamedTensors;
  readonly id?: string;
  /** The outputs that are asked for, where the client names some, and which of them are wanted as bytes. */
  readonly outputs?: readonly { readonly name: string; readonly wantsBinary: boolean }[];
  /** Whether outputs are wanted as bytes of which nothing else is said. */
  readonly wantsBinary: boolean;
}

/** Reads a body. `headerLength` is what the client's header says, where it sent one. @throws {HttpProblem} 400 */
export function readInferBody({
  body,
  headerLength,
}: {
  readonly body: Uint8Array;
  readonly headerLength: string | undefined;
}): InferBody {
  const length = headerLength === undefined ? body.length : Number(headerLength);
  if (!Number.isSafeInteger(length) || length < 0 || length > body.length)
    throw new HttpProblem(400, `${HEADER_LENGTH} is ${headerLength}, but the body has ${body.length} bytes.`);
  const request = requireObject(parseJson(body.subarray(0, length), ['data']));
  return {
    tensors: readInputs(request, body.subarray(length)),
    ...readOutputs(request),
    ...(typeof request.id === 'string' ? { id: request.id } : {}),
  };
}

function readInputs(request: Readonly<Record<string, unknown>>, binary: Uint8Array): NamedTensors {
  const inputs = Array.isArray(request.inputs) ? request.inputs : [];
  if (inputs.length === 0) throw new HttpProblem(400, 'Expected "inputs" with at least one tensor, found 0.');
  let rest = binary;
  const tensors = inputs.map((given: unknown) => {
    const input = requireObject(given);
    const size = parameterOf(input.parameters, 'binary_data_size');
    const isLast = given === inputs.at(-1);
    const fits = typeof size === 'number' && (isLast ? size === rest.length : size <= rest.length);
    if (size !== undefined && !fits)
      throw new HttpProblem(400, `Expected ${textOf(size)} bytes behind the JSON, found ${rest.length}.`);
    const own = size === undefined ? undefined : rest.subarray(0, Number(size));
    rest = rest.subarray(own?.length ?? 0);
    return [textOf(input.name), readInput(input, own)] as const;
  });
  const names = tensors.map(([name]) => name);
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined) throw new HttpProblem(400, `Expected each input once, found ${twice} twice.`);
  return Object.fromEntries(tensors);
}

function readInput(
  { datatype, shape, data }: Readonly<Record<string, unknown>>,
  binary: Uint8Array | undefined,
): RequestTensor {
  if (!isShape(shape)) throw new HttpProblem(400, 'Expected "shape" as a list of whole numbers.');
  if (datatype === 'BYTES') return tensorFromTexts(binary === undefined ? data : textsIn(binary), shape);
  if (!isNumberType(datatype))
    throw new HttpProblem(
      400,
      `Expected a datatype of numbers such as FP32 or UINT8, found ${textOf(datatype)}.`,
    );
  const tensor = { type: datatype, shape };
  if (binary !== undefined) return tensorFromBytes(binary, tensor);
  // Lists within lists are allowed beside the flat form.
  if (data instanceof NumberLists) return tensorInShape(data, tensor);
  if (!Array.isArray(data)) throw new HttpProblem(400, 'Expected "data" as a list of numbers.');
  const isNested = Array.isArray(data[0]);
  return tensorFromNumbers(isNested ? (data.flat(MOST_DIMENSIONS) as unknown[]) : data, tensor);
}

/** Texts as the binary extension has them: before each its length in 4 bytes. */
function textsIn(binary: Uint8Array): readonly string[] {
  const bytes = Buffer.from(binary.buffer, binary.byteOffset, binary.byteLength);
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 4 + (at + 4 <= bytes.length ? bytes.readUInt32LE(at) : bytes.length);
    if (end > bytes.length)
      throw new HttpProblem(
        400,
        'Expected texts, each with its length in 4 bytes before it, found fewer bytes.',
      );
    texts.push(bytes.toString('utf8', at + 4, end));
    at = end;
  }
  return texts;
}

function isShape(value: unknown): value is readonly number[] {
  return (
    Array.isArray(value) &&
    value.length <= MOST_DIMENSIONS &&
    value.every((extent) => Number.isSafeInteger(extent) && extent >= 0) &&
    Number.isSafeInteger(sizeOf(value))
  );
}

function readOutputs(request: Readonly<Record<string, unknown>>): Pick<InferBody, 'outputs' | 'wantsBinary'> {
  const wantsBinary = parameterOf(request.parameters, 'binary_data_output') === true;
  if (!Array.isArray(request.outputs) || request.outputs.length === 0) return { wantsBinary };
  const outputs = request.outputs.map((each: unknown) => {
    const { name, parameters } = requireObject(each);
    const own = parameterOf(parameters, 'binary_data');
    return { name: textOf(name), wantsBinary: own === undefined ? wantsBinary : own === true };
  });
  return { outputs, wantsBinary };
}

function parameterOf(parameters: unknown, key: string): unknown {
  return parameters === undefined ? undefined : requireObject(parameters)[key];
}

/** A name or a number as it stands; of anything else only what it is: it may be as large as the body. */
function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : describe(value);
}

/** What an answer of `/infer` tells beside the numbers. */
interface InferAnswer extends Answers {
  readonly model: string;
  readonly version: string;
  readonly id: string | undefined;
  /** The names of the outputs that are wanted as bytes. */
  readonly binary: readonly string[];
}

/** Writes the answer: JSON, and behind it the bytes of the tensors that the client wants so. */
export function writeInferAnswer({ model, version, id, binary, ...given }: InferAnswer): {
  readonly bytes: Uint8Array;
  /** How many bytes are JSON, where others follow. */
  readonly headerLength?: number;
} {
  const behind: Uint8Array[] = [];
  const outputs = given.outputs.map((output) => {
    const { name, shape } = output;
    const values = columnsOf(given, output);
    const facts = { name, datatype: 'FP32', shape: [given.count, ...shape] };
    if (!binary.includes(name)) return { ...facts, data: Array.from(values, withoutNoise) };
    behind.push(Buffer.from(values.buffer, values.byteOffset, values.byteLength));
    return { ...facts, parameters: { binary_data_size: values.byteLength } };
  });
  const facts = { model_name: model, model_version: version, ...(id === undefined ? {} : { id }) };
  const head = Buffer.from(JSON.stringify({ ...facts, outputs }));
  if (behind.length === 0) return { bytes: head };
  return { bytes: Buffer.concat([head, ...behind]), headerLength: head.length };
}
