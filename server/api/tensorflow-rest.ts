/**
 * The REST API of TensorFlow Serving (tensorflow.org/tfx/serving/api_rest): predict, classify, status and metadata, as
 * its clients expect them.
 */
import { formatScale } from '../../lib/federation/pixel-scale.js';
import { HttpProblem } from '../../lib/http/problems.js';
import { SIGNATURES } from '../codecs/tensorflow-json.js';
import type { ModelCard } from '../models/model-card.js';
import { answerFactsOf, inputsOf, isPictureReader, outputsOf } from '../models/predictor.js';
import type { ModelVersion, ServedModels } from '../models/served-models.js';
import { type FoundModel, findVersion, requireModel } from './find-version.js';
import { type ApiParts, jsonBytes, modelRows, outputsIn, requireClasses } from './model-rows.js';

/** Which numbers are black and white in the input, beside the signature in a model's metadata; else 0 and 1 are. */
export const SCALE_FIELD = 'fedbatch_scale';
/** What inputs and outputs mean, as JSON, where a model does more than to tell what a picture shows. */
export const ANSWERS_FIELD = 'fedbatch_answers';

/** What stands beside the signature in a model's metadata. */
export function metadataFields(card: ModelCard): Readonly<Record<string, string>> {
  const { scale } = card;
  return {
    ...(scale === undefined ? {} : { [SCALE_FIELD]: formatScale(scale) }),
    ...(isPictureReader(card) ? {} : { [ANSWERS_FIELD]: JSON.stringify(answerFactsOf(card)) }),
  };
}

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
  const { tensors, format } = await codecs.run('readPredictBody', { body }, body.length);
  const { values, count } = modelRows(tensors, card, { isBatch: true });
  const answers = await predictor.predict(values, count);
  const given = { format, answers, count, outputs: outputsIn(card) };
  return codecs.run('writePredictions', given, jsonBytes(answers));
}

/** Answers `:classify`: each answer is `[label, score]` of every class. */
export async function classifyExamples(
  { models, codecs }: ApiParts,
  path: ModelPath,
  body: Uint8Array,
): Promise<Uint8Array> {
  const { predictor, card } = findVersion(models, path);
  requireClasses(card);
  const tensors = await codecs.run('readClassifyBody', { body }, body.length);
  const { values, count } = modelRows(tensors, card, { isBatch: true });
  const answers = await predictor.predict(values, count);
  const given = { labels: card.labels, answers, count, outputs: outputsIn(card) };
  return codecs.run('writeClasses', given, jsonBytes(answers));
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
    metadata: {
      signature_def: { signature_def: signatureDefinitions(found) },
      ...metadataFields(found.card),
    },
  };
}

/** The signature under each of its names, as TensorFlow writes a SignatureDef into JSON. */
export function signatureDefinitions({ card }: FoundModel) {
  const definition = (name: string) => ({
    inputs: Object.fromEntries(
      inputsOf(card).map(({ name: input, shape, isInteger = false }) => {
        const dtype = isInteger ? 'DT_INT32' : 'DT_FLOAT';
        return [input, tensorInfo(`${name}_${input}:0`, { dtype, shape: [-1, ...shape] })];
      }),
    ),
    outputs: Object.fromEntries(
      outputsOf(card).map(({ name: output, shape }, at) => {
        const info = tensorInfo(`StatefulPartitionedCall:${at}`, {
          dtype: 'DT_FLOAT',
          shape: [-1, ...shape],
        });
        return [output, info];
      }),
    ),
    method_name: 'tensorflow/serving/predict',
  });
  return Object.fromEntries(SIGNATURES.map((name) => [name, definition(name)] as const));
}

function tensorInfo(
  name: string,
  { dtype, shape }: { readonly dtype: 'DT_FLOAT' | 'DT_INT32'; readonly shape: readonly number[] },
) {
  const dim = shape.map((size) => ({ size: String(size), name: '' }));
  return { dtype, tensor_shape: { dim, unknown_rank: false }, name };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw new HttpProblem(400, 'The address is malformed.', { cause });
  }
}
