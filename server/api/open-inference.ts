/**
 * The Open Inference Protocol, version 2 (github.com/kserve/open-inference-protocol), over HTTP, with its extension for
 * binary tensors: as KServe, Triton and MLServer speak it.
 */
import { formatScale } from '../../lib/federation/pixel-scale.js';
import { bad } from '../../lib/http/problems.js';
import type { InferBody, writeInferAnswer } from '../codecs/inference-json.js';
import { tensorFromBytes } from '../codecs/tensor.js';
import type { ModelCard } from '../models/model-card.js';
import { inputsOf, outputsOf } from '../models/predictor.js';
import type { ServedModels } from '../models/served-models.js';
import { findVersion } from './find-version.js';
import { type ApiParts, jsonBytes, modelRows, outputsIn } from './model-rows.js';
import { SCALE_FIELD } from './tensorflow-rest.js';

/** A request as its address says. */
interface InferencePath {
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

/** Facts of the server. */
export function serverMetadata(version: string): object {
  return { name: 'fedbatch', version, extensions: ['binary_tensor_data'] };
}

/** Facts of a model. */
export function modelMetadata(models: ServedModels, path: InferencePath): object {
  const { card } = findVersion(models, path);
  const { scale } = card;
  return {
    name: models.name,
    versions: models.versions().map(({ version }) => String(version)),
    platform: card.file.endsWith('.keras') ? 'keras' : 'keras_hdf5',
    inputs: inputsOf(card).map(({ name, shape, isInteger = false }) => ({
      name,
      datatype: isInteger ? 'INT32' : 'FP32',
      shape: [-1, ...shape],
    })),
    ...(scale === undefined ? {} : { properties: { [SCALE_FIELD]: formatScale(scale) } }),
    outputs: outputsOf(card).map(({ name, shape }) => ({ name, datatype: 'FP32', shape: [-1, ...shape] })),
  };
}

/** Answers `/infer`. `headerLength` is what the client's header says, where it sent one. */
export async function infer(
  { models, codecs }: ApiParts,
  path: InferencePath,
  { body, headerLength }: { readonly body: Uint8Array; readonly headerLength: string | undefined },
): Promise<ReturnType<typeof writeInferAnswer>> {
  const { version, predictor, card } = findVersion(models, path);
  const request =
    headerLength === '0'
      ? rawRequest(body, card)
      : await codecs.run('readInferBody', { body, headerLength }, body.length);
  const { id, outputs: asked, wantsBinary }: Omit<InferBody, 'tensors'> = request;
  const outputs = outputsIn(
    card,
    asked?.map(({ name }) => name),
  );
  const { values, count } = modelRows(request.tensors, card);
  const answers = await predictor.predict(values, count);
  const binary = asked?.flatMap((each) => (each.wantsBinary ? [each.name] : []));
  const facts = {
    ...{ model: models.name, version: String(version), id },
    binary: binary ?? (wantsBinary ? outputs.map(({ name }) => name) : []),
  };
  return codecs.run('writeInferAnswer', { ...facts, answers, count, outputs }, jsonBytes(answers));
}

/** A body without any JSON, as Triton takes it: the bytes of the one input of one example, in the model's own type. */
function rawRequest(body: Uint8Array, card: ModelCard): InferBody {
  const [input, ...others] = inputsOf(card);
  if (input === undefined || others.length > 0)
    throw bad('JSON before the bytes, which says which of the inputs they are', 'none');
  const { name, shape, isInteger = false } = input;
  const tensor = tensorFromBytes(body, { type: isInteger ? 'INT32' : 'FP32', shape: [1, ...shape] });
  return { tensors: { [name]: tensor }, wantsBinary: false };
}
