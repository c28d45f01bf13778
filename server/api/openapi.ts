/** The OpenAPI 3.1 document of the server, about the model that it serves; a test asks the running server all of it. */
import { inputsOf, isPictureReader, outputsOf } from '../models/predictor.js';
import type { ServedModels } from '../models/served-models.js';
import { exampleBodies, formSchema } from './openapi-model.js';
import {
  answers,
  body,
  jsonBody,
  type ModelFacts,
  type Operation,
  type PathPart,
  parameters,
  problems,
  type Schema,
} from './openapi-parts.js';
import { schemas } from './openapi-schemas.js';

/** What the document is about. */
interface OpenApiOptions {
  readonly models: ServedModels;
  /** Of the server. */
  readonly version: string;
}

/** What the document is about before there is a model: digits. */
const DIGITS: Pick<ModelFacts, 'inputs' | 'outputs' | 'pictureShape'> = {
  inputs: [{ name: 'input', shape: [28, 28, 1], isPicture: true }],
  outputs: [{ name: 'output', shape: [10], task: 'classification' }],
  pictureShape: [28, 28, 1],
};

/** The document. Names and shapes are those of the served model; before there is one, those of a digit. */
export function openApiDocument({ models, version }: OpenApiOptions): object {
  const card = models.card();
  const facts: ModelFacts = {
    name: models.name,
    version: models.current()?.version ?? 1,
    ...(card === undefined
      ? DIGITS
      : {
          inputs: inputsOf(card),
          outputs: outputsOf(card),
          pictureShape: isPictureReader(card) ? card.inputShape : undefined,
        }),
  };
  const bodies = exampleBodies(facts);
  const ofModel = (...names: readonly PathPart[]) => parameters(facts, ...names);
  const byRow = question('Predict', bodies?.instances);
  const byColumn = question('Predict', bodies?.inputs);
  const infer = question('Infer', bodies?.infer);
  const isClassifier = card === undefined || card.task === undefined;
  return {
    openapi: '3.1.0',
    info: {
      title: 'fedbatch serve',
      version,
      license: { name: 'MIT', identifier: 'MIT' },
      description:
        'Predictions of one model: for pictures (/upload), for examples in a form or a file (/predict), by the REST API of TensorFlow Serving (/v1) and by the Open Inference Protocol (/v2). Addresses that the served model has nothing to answer at are left out.',
    },
    paths: {
      ...(facts.pictureShape === undefined ? {} : { '/upload': { post: upload } }),
      '/predict': { post: ask(formSchema(facts), bodies?.form) },
      '/v1/models/{model}': { get: status, parameters: ofModel('model') },
      '/v1/models/{model}/metadata': { get: metadata, parameters: ofModel('model') },
      '/v1/models/{model}:predict': { post: byRow, parameters: ofModel('model') },
      '/v1/models/{model}/versions/{version}:predict': {
        post: { ...byColumn, operationId: 'predictVersion' },
        parameters: ofModel('model', 'version'),
      },
      '/v1/models/{model}/labels/{label}:predict': {
        post: { ...byRow, operationId: 'predictLabel' },
        parameters: ofModel('model', 'label'),
      },
      ...(isClassifier
        ? {
            '/v1/models/{model}:classify': {
              post: question('Classify', bodies?.classify),
              parameters: ofModel('model'),
            },
          }
        : {}),
      '/v2': { get: operation('serverMetadata', 'Facts of the server.', 'ServerMetadata') },
      '/v2/health/live': { get: operation('live', 'Whether the process lives.', 'Live') },
      '/v2/health/ready': { get: operation('ready', 'Whether the server can predict.', 'Ready', [503]) },
      '/v2/models/{model}': {
        get: operation('modelMetadata', 'Inputs and outputs of the model.', 'ModelMetadata', [404, 503]),
        parameters: ofModel('model'),
      },
      '/v2/models/{model}/ready': {
        get: operation('modelReady', 'Whether the model can predict.', 'ModelReady', [404, 503]),
        parameters: ofModel('model'),
      },
      '/v2/models/{model}/infer': { post: infer, parameters: ofModel('model') },
      '/v2/models/{model}/versions/{version}/infer': {
        post: { ...infer, operationId: 'inferVersion' },
        parameters: ofModel('model', 'version'),
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

function ask(form: Schema, example: object | undefined): Operation {
  return {
    operationId: 'ask',
    summary:
      'Answers the example in the fields input.<name>, or those in a file (CSV, Parquet, JSON), in the words of the task: JSON, CSV (format=csv) or a page.',
    requestBody: body('multipart/form-data', form, example),
    responses: { ...answers('Words'), ...problems(400, 413, 415, 422, 503) },
  };
}

const QUESTIONS = {
  Predict:
    'What the model says of examples: `instances` are answered by `predictions`, `inputs` by `outputs`.',
  Classify: 'Label and score of every class for each example.',
  Infer:
    'What the model says of tensors of examples, as lists or, with Inference-Header-Content-Length, as bytes.',
} as const;

/** A question about examples in JSON, by what the names of its schemas begin with. */
function question(kind: keyof typeof QUESTIONS, example: object | undefined): Operation {
  return {
    operationId: kind.toLowerCase(),
    summary: QUESTIONS[kind],
    requestBody: jsonBody(`${kind}Request`, example),
    responses: { ...answers(`${kind}Answer`), ...problems(400, 404, 413, 503) },
  };
}

const status = operation('status', 'Versions of the model and whether they can answer.', 'Status', [404]);
const metadata = operation('metadata', "The model's signature.", 'Metadata', [404, 503]);
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
