/** Bodies of the Open Inference Protocol, version 2, with its extension for binary tensors: requests to tensors and back. */
import { sizeOf } from '../../lib/core/weights.js';
import { HttpProblem } from '../problems.js';
import { parseJson, requireObject } from './json.js';
import {
  describe,
  isNumberType,
  MOST_DIMENSIONS,
  type RequestTensor,
  tensorFromBytes,
  tensorFromNumbers,
  withoutNoise,
} from './tensor.js';
import type { Answers } from './tensorflow-json.js';

/** Header that says how many bytes of a body are JSON; the tensors' bytes follow. */
export const HEADER_LENGTH = 'Inference-Header-Content-Length';

/** A request of `/infer`. */
interface InferBody {
  readonly tensor: RequestTensor;
  readonly id?: string;
  /** The output that is asked for, where the client names one. */
  readonly output?: string;
  /** Whether the output is wanted as bytes. */
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
  const request = requireObject(parseJson(body.subarray(0, length)));
  return {
    tensor: readInput(request, body.subarray(length)),
    ...readOutputs(request),
    ...(typeof request.id === 'string' ? { id: request.id } : {}),
  };
}

function readInput(request: Readonly<Record<string, unknown>>, binary: Uint8Array): RequestTensor {
  const inputs = Array.isArray(request.inputs) ? request.inputs : [];
  if (inputs.length !== 1)
    throw new HttpProblem(400, `Expected "inputs" with one tensor, found ${inputs.length}.`);
  const { datatype, shape, data, parameters } = requireObject(inputs[0]);
  if (!isNumberType(datatype))
    throw new HttpProblem(
      400,
      `Expected a datatype of numbers such as FP32 or UINT8, found ${textOf(datatype)}.`,
    );
  if (!isShape(shape)) throw new HttpProblem(400, 'Expected "shape" as a list of whole numbers.');
  const tensor = { type: datatype, shape };
  const binarySize = parameterOf(parameters, 'binary_data_size');
  if (binarySize !== undefined) {
    if (binarySize !== binary.length)
      throw new HttpProblem(
        400,
        `Expected ${textOf(binarySize)} bytes behind the JSON, found ${binary.length}.`,
      );
    return tensorFromBytes(binary, tensor);
  }
  if (!Array.isArray(data)) throw new HttpProblem(400, 'Expected "data" as a list of numbers.');
  const isNested = Array.isArray(data[0]);
  // Lists within lists are allowed beside the flat form.
  return tensorFromNumbers(isNested ? (data.flat(MOST_DIMENSIONS) as unknown[]) : data, tensor);
}

function isShape(value: unknown): value is readonly number[] {
  return (
    Array.isArray(value) &&
    value.length <= MOST_DIMENSIONS &&
    value.every((extent) => Number.isSafeInteger(extent) && extent >= 0) &&
    Number.isSafeInteger(sizeOf(value))
  );
}

function readOutputs(request: Readonly<Record<string, unknown>>): Pick<InferBody, 'output' | 'wantsBinary'> {
  const wantsBinary = parameterOf(request.parameters, 'binary_data_output') === true;
  if (!Array.isArray(request.outputs) || request.outputs.length === 0) return { wantsBinary };
  if (request.outputs.length > 1)
    throw new HttpProblem(400, `Expected one output, found ${request.outputs.length}.`);
  const { name, parameters } = requireObject(request.outputs[0]);
  const own = parameterOf(parameters, 'binary_data');
  return { output: textOf(name), wantsBinary: own === undefined ? wantsBinary : own === true };
}

function parameterOf(parameters: unknown, key: string): unknown {
  return parameters === undefined ? undefined : requireObject(parameters)[key];
}

/** A name or a number as it stands; of anything else only what it is: it may be as large as the body. */
function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : describe(value);
}

/** What an answer of `/infer` tells beside the probabilities. */
interface InferAnswer extends Answers {
  readonly model: string;
  readonly version: string;
  readonly id: string | undefined;
  readonly output: string;
  readonly wantsBinary: boolean;
}

/** Writes the answer: JSON, and behind it the bytes of the tensor where the client asked for them. */
export function writeInferAnswer(answer: InferAnswer): {
  readonly bytes: Uint8Array;
  /** How many bytes are JSON, where others follow. */
  readonly headerLength?: number;
} {
  const { model, version, id, output: name, wantsBinary, probabilities, count } = answer;
  const output = { name, datatype: 'FP32', shape: [count, probabilities.length / count] };
  const facts = { model_name: model, model_version: version, ...(id === undefined ? {} : { id }) };
  if (!wantsBinary) {
    const outputs = [{ ...output, data: Array.from(probabilities, withoutNoise) }];
    return { bytes: Buffer.from(JSON.stringify({ ...facts, outputs })) };
  }
  const binary = Buffer.from(probabilities.buffer, probabilities.byteOffset, probabilities.byteLength);
  const outputs = [{ ...output, parameters: { binary_data_size: binary.length } }];
  const head = Buffer.from(JSON.stringify({ ...facts, outputs }));
  return { bytes: Buffer.concat([head, binary]), headerLength: head.length };
}
