/**
 * The Open Inference Protocol, version 2 (github.com/kserve/open-inference-protocol), over HTTP, with its extension for
 * binary tensors: as KServe, Triton and MLServer speak it.
 */
import { sizeOf } from '../../lib/federation/weights.js';
import type { ServedModels } from '../models/served-models.js';
import type { ModelCard } from '../predictor.js';
import { HttpProblem } from '../problems.js';
import { parseJson } from './exchange.js';
import { findVersion } from './find-version.js';
import { type ImageBatch, imagesFromBytes, imagesFromNumbers, isNumberType, withoutNoise } from './images.js';
import { requireObject } from './tensorflow-rest.js';

/** A request as its address says. */
export interface InferencePath {
  readonly name: string;
  readonly version: string | undefined;
  readonly verb: 'infer' | 'ready' | 'metadata';
}

const PATH = /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?(?:\/(infer|ready))?$/;

/** Reads an address below `/v2/models/`; undefined where it is none of this API. */
export function parseInferencePath(path: string): InferencePath | undefined {
  const match = PATH.exec(path);
  if (match === null) return undefined;
  const [, name = '', version, verb = 'metadata'] = match;
  return { name, version, verb: verb as InferencePath['verb'] };
}

/** Header that says how many bytes of a body are JSON; the tensors' bytes follow. */
export const HEADER_LENGTH = 'Inference-Header-Content-Length';

/** An answer: JSON, and behind it the bytes of tensors where the client asked for them. */
export interface InferenceAnswer {
  readonly json: object;
  readonly binary?: Uint8Array;
}

/** Facts of the server. */
export function serverMetadata(version: string): object {
  return { name: 'fedbatch', version, extensions: ['binary_tensor_data'] };
}

/** Facts of a model. */
export function modelMetadata(models: ServedModels, path: InferencePath): object {
  const { card } = findVersion(models, path);
  const { signature, inputShape, classes } = card;
  return {
    name: models.name,
    versions: models.versions().map(({ version }) => String(version)),
    platform: 'keras_hdf5',
    inputs: [{ name: signature.input, datatype: 'FP32', shape: [-1, ...inputShape] }],
    outputs: [{ name: signature.output, datatype: 'FP32', shape: [-1, classes] }],
  };
}

/** Answers `/infer`. `headerLength` is what the client's header says, where it sent one. */
export async function infer(
  models: ServedModels,
  path: InferencePath,
  { body, headerLength }: { readonly body: Buffer; readonly headerLength: string | undefined },
): Promise<InferenceAnswer> {
  const { version, predictor, card } = findVersion(models, path);
  const length = headerLength === undefined ? body.length : Number(headerLength);
  if (!Number.isSafeInteger(length) || length < 0 || length > body.length)
    throw new HttpProblem(400, `${HEADER_LENGTH} is ${headerLength}, but the body has ${body.length} bytes.`);
  const request = requireObject(parseJson(body.subarray(0, length)));
  const batch = readInput(request, { card, binary: body.subarray(length) });
  const wantsBinary = readOutputs(request, card);
  const { count } = batch;
  const probabilities = await predictor.predict(batch.values, count);
  const output = { name: card.signature.output, datatype: 'FP32', shape: [count, card.classes] };
  const answer = {
    model_name: models.name,
    model_version: String(version),
    ...(typeof request.id === 'string' ? { id: request.id } : {}),
  };
  if (!wantsBinary)
    return { json: { ...answer, outputs: [{ ...output, data: Array.from(probabilities, withoutNoise) }] } };
  const binary = Buffer.from(probabilities.buffer, probabilities.byteOffset, probabilities.byteLength);
  const parameters = { binary_data_size: binary.length };
  return { json: { ...answer, outputs: [{ ...output, parameters }] }, binary };
}

interface InputSource {
  readonly card: ModelCard;
  /** The bytes behind the JSON. */
  readonly binary: Buffer;
}

function readInput(request: Readonly<Record<string, unknown>>, { card, binary }: InputSource): ImageBatch {
  const inputs = Array.isArray(request.inputs) ? request.inputs : [];
  if (inputs.length !== 1)
    throw new HttpProblem(400, `Expected "inputs" with one tensor, found ${inputs.length}.`);
  const { datatype, shape, data, parameters } = requireObject(inputs[0]);
  if (!isNumberType(datatype))
    throw new HttpProblem(
      400,
      `Expected a datatype of numbers such as FP32 or UINT8, found ${String(datatype)}.`,
    );
  if (!isShape(shape)) throw new HttpProblem(400, 'Expected "shape" as a list of whole numbers.');
  const tensor = { type: datatype, shape };
  const binarySize = parameterOf(parameters, 'binary_data_size');
  if (binarySize !== undefined) {
    if (binarySize !== binary.length)
      throw new HttpProblem(
        400,
        `Expected ${String(binarySize)} bytes behind the JSON, found ${binary.length}.`,
      );
    return imagesFromBytes(binary, tensor, card);
  }
  if (!Array.isArray(data)) throw new HttpProblem(400, 'Expected "data" as a list of numbers.');
  const isNested = Array.isArray(data[0]);
  // Lists within lists are allowed beside the flat form.
  return imagesFromNumbers(isNested ? (data.flat(MOST_DIMENSIONS) as unknown[]) : data, tensor, card);
}

const MOST_DIMENSIONS = 4;

function isShape(value: unknown): value is readonly number[] {
  return (
    Array.isArray(value) &&
    value.length <= MOST_DIMENSIONS &&
    value.every((extent) => Number.isSafeInteger(extent) && extent >= 0) &&
    Number.isSafeInteger(sizeOf(value))
  );
}

/** Whether the output is wanted as bytes. @throws {HttpProblem} 400 where another output is asked for */
function readOutputs(request: Readonly<Record<string, unknown>>, { signature }: ModelCard): boolean {
  const byDefault = parameterOf(request.parameters, 'binary_data_output') === true;
  if (!Array.isArray(request.outputs) || request.outputs.length === 0) return byDefault;
  const { name, parameters } = requireObject(request.outputs[0]);
  if (name !== signature.output || request.outputs.length > 1)
    throw new HttpProblem(400, `Expected the one output ${signature.output}, found ${String(name)}.`);
  const own = parameterOf(parameters, 'binary_data');
  return own === undefined ? byDefault : own === true;
}

function parameterOf(parameters: unknown, key: string): unknown {
  return parameters === undefined ? undefined : requireObject(parameters)[key];
}
