/** TensorFlow Serving's PredictionService and ModelService, as functions from a request to its answer. */

import { HttpProblem } from '../../lib/http/problems.js';
import { type FoundModel, findVersion, requireModel } from '../api/find-version.js';
import { type ApiParts, jsonBytes, modelRows, outputsIn } from '../api/model-rows.js';
import { metadataFields, signatureDefinitions } from '../api/tensorflow-rest.js';
import { DT_FLOAT, DT_INT32 } from '../codecs/predict-message.js';
import { requireSignature } from '../codecs/tensorflow-json.js';
import type { ModelVersion, ServedModels } from '../models/served-models.js';
import type { MetadataRequest, ModelSpec, StatusRequest } from './messages.js';

/** The only kind of metadata that TensorFlow Serving has. */
export const SIGNATURE_FIELD = 'signature_def';

/** Answers `Predict`: the bytes of a message with those of another. */
export async function answerPredict({ models, codecs }: ApiParts, message: Uint8Array): Promise<Uint8Array> {
  const request = await codecs.run('readPredictMessage', { message }, message.length);
  const found = find(models, request.model_spec);
  const outputs = outputsIn(found.card, request.output_filter);
  const { values, count } = modelRows(request.tensors, found.card);
  const answers = await found.predictor.predict(values, count);
  const spec = {
    name: models.name,
    version: { value: found.version },
    signature_name: requireSignature(request.model_spec?.signature_name),
  };
  return codecs.run('writePredictAnswer', { spec, answers, count, outputs }, jsonBytes(answers));
}

/** Answers `GetModelMetadata`: the signature, packed as TensorFlow Serving packs it. */
export function getModelMetadata(
  models: ServedModels,
  { model_spec: spec, metadata_field: fields = [] }: MetadataRequest,
): object {
  const found = find(models, spec);
  if (fields.length !== 1 || fields[0] !== SIGNATURE_FIELD)
    throw new HttpProblem(400, 'Expected the metadata field signature_def.');
  const definitions = Object.entries(signatureDefinitions(found)).map(
    ([name, { inputs, outputs, method_name }]) =>
      [name, { inputs: asNumbers(inputs), outputs: asNumbers(outputs), method_name }] as const,
  );
  return {
    model_spec: { name: models.name, version: { value: found.version } },
    metadata: {
      [SIGNATURE_FIELD]: {
        '@type': 'type.googleapis.com/tensorflow.serving.SignatureDefMap',
        signature_def: Object.fromEntries(definitions),
      },
      ...Object.fromEntries(
        Object.entries(metadataFields(found.card)).map(([name, value]) => [
          name,
          { '@type': 'type.googleapis.com/google.protobuf.StringValue', value },
        ]),
      ),
    },
  };
}

type TensorInfos = ReturnType<typeof signatureDefinitions>[string]['inputs'];

/** JSON writes types by name and 64-bit numbers as text. */
function asNumbers(infos: TensorInfos) {
  const entries = Object.entries(infos).map(([key, { name, dtype, tensor_shape: shape }]) => {
    const dim = shape.dim.map(({ size }) => ({ size: Number(size) }));
    return [key, { name, dtype: dtype === 'DT_INT32' ? DT_INT32 : DT_FLOAT, tensor_shape: { dim } }] as const;
  });
  return Object.fromEntries(entries);
}

/** Answers `GetModelStatus`. */
export function getModelStatus(models: ServedModels, { model_spec: spec }: StatusRequest): object {
  requireModel(models, spec?.name ?? '');
  const isOne = spec?.version !== undefined || spec?.version_label !== undefined;
  const versions: readonly ModelVersion[] = isOne ? [find(models, spec)] : models.versions();
  return {
    model_version_status: versions.map(({ version, predictor }) => ({
      version,
      state: predictor.card() === undefined ? 'LOADING' : 'AVAILABLE',
      status: { error_code: 0, error_message: '' },
    })),
  };
}

function find(models: ServedModels, spec: ModelSpec = {}): FoundModel {
  const { name = '', version, version_label: label } = spec;
  return findVersion(models, {
    name,
    label,
    version: version === undefined ? undefined : String(version.value ?? 0),
  });
}
