/** The OpenAPI 3.1 document of the server, about the model that it serves; a test asks the running server all of it. */
import { outputsOf } from '../models/predictor.js';
import type { ServedModels } from '../models/served-models.js';
import { answers, body, jsonBody, type Operation, parameters, problems } from './openapi-parts.js';
import { schemas } from './openapi-schemas.js';

/** What the document is about. */
interface OpenApiOptions {
  readonly models: ServedModels;
  /** Of the server. */
  readonly version: string;
}

/** The document. Names and shapes are those of the served model; before there is one, those of a digit. */
export function openApiDocument({ models, version }: OpenApiOptions): object {
  const card = models.card();
  const { signature = { input: 'input', output: 'output' }, classes = 10 } = card ?? {};
  const inputShape = card === undefined ? [28, 28, 1] : card.inputShape;
  const facts = {
    name: models.name,
    signature,
    inputShape,
    outputs: card === undefined ? [signature.output] : outputsOf(card).map(({ name }) => name),
    classes,
    version: models.current()?.version ?? 1,
  };
  return {
    openapi: '3.1.0',
    info: {
      title: 'fedbatch serve',
      version,
      license: { name: 'MIT', identifier: 'MIT' },
      description:
        'Predictions of one model: for pictures (/upload) or numbers (/predict), by the REST API of TensorFlow Serving (/v1) and by the Open Inference Protocol (/v2).',
    },
    paths: {
      '/upload': { post: upload },
      '/predict': { post: ask },
      '/v1/models/{model}': { get: status, parameters: parameters(facts, 'model') },
      '/v1/models/{model}/metadata': { get: metadata, parameters: parameters(facts, 'model') },
      '/v1/models/{model}:predict': { post: predict, parameters: parameters(facts, 'model') },
      '/v1/models/{model}/versions/{version}:predict': {
        post: { ...predict, operationId: 'predictVersion' },
        parameters: parameters(facts, 'model', 'version'),
      },
      '/v1/models/{model}/labels/{label}:predict': {
        post: { ...predict, operationId: 'predictLabel' },
        parameters: parameters(facts, 'model', 'label'),
      },
      '/v1/models/{model}:classify': { post: classify, parameters: parameters(facts, 'model') },
      '/v2': { get: operation('serverMetadata', 'Facts of the server.', 'ServerMetadata') },
      '/v2/health/live': { get: operation('live', 'Whether the process lives.', 'Live') },
      '/v2/health/ready': { get: operation('ready', 'Whether the server can predict.', 'Ready', [503]) },
      '/v2/models/{model}': {
        get: operation('modelMetadata', 'Inputs and outputs of the model.', 'ModelMetadata', [404, 503]),
        parameters: parameters(facts, 'model'),
      },
      '/v2/models/{model}/ready': {
        get: operation('modelReady', 'Whether the model can predict.', 'ModelReady', [404, 503]),
        parameters: parameters(facts, 'model'),
      },
      '/v2/models/{model}/infer': { post: infer, parameters: parameters(facts, 'model') },
      '/v2/models/{model}/versions/{version}/infer': {
        post: { ...infer, operationId: 'inferVersion' },
        parameters: parameters(facts, 'model', 'version'),
      },
      '/model': { get: operation('model', 'Facts of the model and its versions.', 'Model', [503]) },
      '/healthz': { get: operation('healthz', 'Whether the process lives.', 'Health') },
      '/readyz': { get: operation('readyz', 'Whether a model is loaded.', 'Health', [503]) },
      '/metrics': { get: metrics },
      '/admin/rollback': { post: rollback },
    },
    components: { schemas: schemas(facts) },
  };
}

/** A question without a body that is answered in JSON. */
function operation(
  operationId: string,
  summary: string,
  schema: string,
  statuses: readonly number[] = [],
): Operation {
  return { operationId, summary, responses: { ...answers(schema), ...problems(...statuses) } };
}

const upload: Operation = {
  operationId: 'upload',
  summary: 'Reads one picture: PNG, JPEG, WebP, GIF or AVIF. Answers a page to who prefers text/html.',
  requestBody: body('multipart/form-data', {
    type: 'object',
    required: ['file'],
    properties: { file: { type: 'string', contentMediaType: 'application/octet-stream' } },
  }),
  responses: { ...answers('Upload'), ...problems(400, 413, 415, 422, 503) },
};
const ask: Operation = {
  operationId: 'ask',
  summary: 'Answers examples out of the fields input.<name> or a file (JSON, CSV) in the words of the task.',
  requestBody: body('multipart/form-data', { type: 'object', additionalProperties: { type: 'string' } }),
  responses: { ...answers('Words'), ...problems(400, 413, 415, 503) },
};
const predict: Operation = {
  operationId: 'predict',
  summary: 'Probabilities of images: `instances` are answered by `predictions`, `inputs` by `outputs`.',
  requestBody: jsonBody('PredictRequest'),
  responses: { ...answers('PredictAnswer'), ...problems(400, 404, 413, 503) },
};
const classify: Operation = {
  operationId: 'classify',
  summary: 'Label and score of every class for each example.',
  requestBody: jsonBody('ClassifyRequest'),
  responses: { ...answers('ClassifyAnswer'), ...problems(400, 404, 413, 503) },
};
const status = operation('status', 'Versions of the model and whether they can answer.', 'Status', [404]);
const metadata = operation('metadata', "The model's signature.", 'Metadata', [404, 503]);
const infer: Operation = {
  operationId: 'infer',
  summary:
    'Probabilities of a tensor of images, as lists or, with Inference-Header-Content-Length, as bytes.',
  requestBody: jsonBody('InferRequest'),
  responses: { ...answers('InferAnswer'), ...problems(400, 404, 413, 503) },
};
const metrics: Operation = {
  operationId: 'metrics',
  summary: 'Metrics in the text format of Prometheus.',
  responses: {
    200: { description: 'The metrics.', content: { 'text/plain': { schema: { type: 'string' } } } },
  },
};
const rollback: Operation = {
  operationId: 'rollback',
  summary: 'Returns to the version before, with the admin token.',
  responses: { ...answers('Rollback'), ...problems(401, 403, 409) },
};
