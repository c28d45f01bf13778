/**
 * The REST API of TensorFlow Serving (tensorflow.org/tfx/serving/api_rest): predict, classify, status and metadata, as
 * its clients expect them.
 */
import { formatScale } from '../../lib/federation/pixel-scale.js';
import { SIGNATURES } from '../codecs/tensorflow-json.js';
import type { ModelVersion, ServedModels } from '../models/served-models.js';
import { HttpProblem } from '../problems.js';
import { type FoundModel, findVersion, requireModel } from './find-version.js';
import { type ApiParts, imageBatchOf, jsonBytes, requireClasses } from './images.js';

/** Which numbers are black and white in the input, beside the signature in a model's metadata; else 0 and 1 are. */
export const SCALE_FIELD = 'fedbatch_scale';

/** A request as its address says. */
interface ModelPath {
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
export async function predict(
  { models, codecs }: ApiParts,
  path: ModelPath,
  body: Uint8Array,
): Promise<Uint8Array> {
  const { predictor, card } = findVersion(models, path);
  const { tensor, format } = await codecs.run('readPredictBody', { body }, body.length);
  const { values, count } = imageBatchOf(tensor, card, { isBatch: true });
  const probabilities = await predictor.predict(values, count);
  return codecs.run('writePredictions', { format, probabilities, count }, jsonBytes(probabilities));
}

/** Answers `:classify`: each answer is `[label, score]` of every class. */
export async function classifyExamples(
  { models, codecs }: ApiParts,
  path: ModelPath,
  body: Uint8Array,
): Promise<Uint8Array> {
  const { predictor, card } = findVersion(models, path);
  requireClasses(card);
  const tensor = await codecs.run('readClassifyBody', { body }, body.length);
  const { values, count } = imageBatchOf(tensor, card, { isBatch: true });
  const probabilities = await predictor.predict(values, count);
  const { labels } = card;
  return codecs.run('writeClasses', { labels, probabilities, count }, jsonBytes(probabilities));
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
  const { scale } = found.card;
  return {
    model_spec: { name: models.name, signature_name: '', version: String(found.version) },
    metadata: {
      signature_def: { signature_def: signatureDefinitions(found) },
      ...(scale === undefined ? {} : { [SCALE_FIELD]: formatScale(scale) }),
    },
  };
}

/** The signature under each of its names, as TensorFlow writes a SignatureDef into JSON. */
export function signatureDefinitions({ card }: FoundModel) {
  const { signature, inputShape, classes } = card;
  const definition = (name: string) => ({
    inputs: { [signature.input]: tensorInfo(`${name}_${signature.input}:0`, [-1, ...inputShape]) },
    outputs: { [signature.output]: tensorInfo('StatefulPartitionedCall:0', [-1, classes]) },
    method_name: 'tensorflow/serving/predict',
  });
  return Object.fromEntries(SIGNATURES.map((name) => [name, definition(name)] as const));
}

function tensorInfo(name: string, shape: readonly number[]) {
  const dim = shape.map((size) => ({ size: String(size), name: '' }));
  return { dtype: 'DT_FLOAT', tensor_shape: { dim, unknown_rank: false }, name };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw new HttpProblem(400, 'The address is malformed.', { cause });
  }
}
