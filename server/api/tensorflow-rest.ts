/**
 * The REST API of TensorFlow Serving (tensorflow.org/tfx/serving/api_rest): predict, classify, status and metadata, as
 * its clients expect them.
 */
import { formatShape } from '../../lib/federation/weights.js';
import type { ModelVersion, ServedModels } from '../models/served-models.js';
import type { ModelCard } from '../predictor.js';
import { HttpProblem } from '../problems.js';
import { parseJson } from './exchange.js';
import { type FoundModel, findVersion, requireModel } from './find-version.js';
import { type ImageBatch, imagesFromLists, probabilityRows } from './images.js';

/** The only signature; the empty name means it too. */
export const SIGNATURE = 'serving_default';

/** A request as its address says. */
export interface ModelPath {
  readonly name: string;
  readonly version: string | undefined;
  readonly label: string | undefined;
  readonly verb: 'predict' | 'classify' | 'metadata' | 'status';
}

const PATH =
  /^\/v1\/models\/([^/:]+)(?:\/versions\/(\d+)|\/labels\/([^/:]+))?(?::(predict|classify)|\/(metadata))?$/;

/** Reads an address below `/v1/models/`; undefined where it is none of this API. */
export function parseModelPath(path: string): ModelPath | undefined {
  const match = PATH.exec(path);
  if (match === null) return undefined;
  const [, name = '', version, label, post, get] = match;
  const verb = (post ?? get ?? 'status') as ModelPath['verb'];
  return { name: decode(name), version, label: label === undefined ? undefined : decode(label), verb };
}

/** Answers `:predict`: `instances` with `predictions`, `inputs` with `outputs`. */
export async function predict(models: ServedModels, path: ModelPath, body: Uint8Array): Promise<object> {
  const { predictor, card } = findVersion(models, path);
  const { signature, batch, format } = readImages(requireObject(parseJson(body)), card);
  requireSignature(signature);
  const rows = probabilityRows(await predictor.predict(batch.values, batch.count), batch.count);
  return format === 'row' ? { predictions: rows } : { outputs: rows };
}

interface PredictBody {
  readonly signature: unknown;
  readonly batch: ImageBatch;
  readonly format: 'row' | 'column';
}

function readImages(request: Readonly<Record<string, unknown>>, card: ModelCard): PredictBody {
  const { instances, inputs, signature_name: signature } = request;
  if (instances !== undefined && inputs !== undefined)
    throw new HttpProblem(400, "Expected one of the keys 'instances' and 'inputs', found both.");
  if (inputs !== undefined)
    return { signature, batch: imagesFromLists(onlyInput(inputs), card), format: 'column' };
  if (instances === undefined) throw new HttpProblem(400, "Missing 'inputs' or 'instances' key.");
  const list = Array.isArray(instances) ? instances.map(onlyInput) : instances;
  return { signature, batch: imagesFromLists(list, card), format: 'row' };
}

/** The model has one input, so whatever a client calls it is taken. */
function onlyInput(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const entries = Object.values(value);
  if (entries.length === 1) return entries[0];
  throw new HttpProblem(400, `Expected one input, found ${entries.length}.`);
}

/** Answers `:classify`: each example has one feature, a list of numbers; each answer is `[label, score]` of every class. */
export async function classifyExamples(
  models: ServedModels,
  path: ModelPath,
  body: Uint8Array,
): Promise<object> {
  const { predictor, card } = findVersion(models, path);
  const request = requireObject(parseJson(body));
  requireSignature(request.signature_name);
  if (!Array.isArray(request.examples)) throw new HttpProblem(400, "Missing 'examples' key.");
  const { values, count } = imagesFromLists(request.examples.map(onlyInput), card);
  const rows = probabilityRows(await predictor.predict(values, count), count);
  return {
    results: rows.map((row) => row.map((score, index) => [card.labels?.[index] ?? String(index), score])),
  };
}

/** Answers the status of a model, or of one version of it. */
export function statusOf(models: ServedModels, path: ModelPath): object {
  requireModel(models, path.name);
  const wanted =
    path.version === undefined && path.label === undefined
      ? models.versions()
      : [findVersion(models, path) as ModelVersion];
  return { model_version_status: wanted.map(versionStatus).reverse() };
}

function versionStatus({ version, predictor }: ModelVersion) {
  const state = predictor.card() === undefined ? 'LOADING' : 'AVAILABLE';
  return { version: String(version), state, status: { error_code: 'OK', error_message: '' } };
}

/** Answers the signature: names, types and shapes of input and output. */
export function metadataOf(models: ServedModels, path: ModelPath): object {
  const found = findVersion(models, path);
  return {
    model_spec: { name: models.name, signature_name: '', version: String(found.version) },
    metadata: { signature_def: { signature_def: { [SIGNATURE]: signatureDefinition(found) } } },
  };
}

/** The signature as TensorFlow writes a SignatureDef into JSON. */
export function signatureDefinition({ card }: FoundModel) {
  const { signature, inputShape, classes } = card;
  return {
    inputs: { [signature.input]: tensorInfo(`${SIGNATURE}_${signature.input}:0`, [-1, ...inputShape]) },
    outputs: { [signature.output]: tensorInfo('StatefulPartitionedCall:0', [-1, classes]) },
    method_name: 'tensorflow/serving/predict',
  };
}

function tensorInfo(name: string, shape: readonly number[]) {
  const dim = shape.map((size) => ({ size: String(size), name: '' }));
  return { dtype: 'DT_FLOAT', tensor_shape: { dim, unknown_rank: false }, name };
}

/** @throws {HttpProblem} 400 for a signature that is not there */
export function requireSignature(name: unknown): void {
  if (name === undefined || name === '' || name === SIGNATURE) return;
  throw new HttpProblem(
    400,
    `Serving signature key ${JSON.stringify(name)} not found; expected "${SIGNATURE}".`,
  );
}

/** @throws {HttpProblem} 400 where a body is no object */
export function requireObject(body: unknown): Readonly<Record<string, unknown>> {
  if (typeof body === 'object' && body !== null && !Array.isArray(body))
    return body as Record<string, unknown>;
  throw new HttpProblem(
    400,
    `Expected a JSON object, found ${Array.isArray(body) ? `a list of ${formatShape([body.length])}` : 'something else'}.`,
  );
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw new HttpProblem(400, 'The address is malformed.', { cause });
  }
}
