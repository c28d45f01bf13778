/** The schemas of the OpenAPI document: those of the served model, and those that are the same for every model. */
import { z } from 'zod';
import { modelAnswerSchema } from '../models/model-card.js';
import { modelSchemas } from './openapi-model.js';
import {
  anyShare,
  anyText,
  list,
  type ModelFacts,
  map,
  record,
  type Schema,
  wholeNumber,
  yesOrNo,
} from './openapi-parts.js';

/** All schemas by name. */
export function schemas(facts: ModelFacts): Readonly<Record<string, Schema>> {
  const { pictureShape } = facts;
  return {
    ...fixedSchemas(),
    ...modelSchemas(facts),
    ...(pictureShape === undefined ? {} : pictureSchemas(facts, pictureShape)),
  };
}

/** Of a model that tells what a picture shows. */
function pictureSchemas(
  { outputs }: ModelFacts,
  [height, width, channels]: readonly number[],
): Readonly<Record<string, Schema>> {
  const classes = outputs[0]?.shape[0] ?? 1;
  const probabilities = list(anyShare, classes);
  const level = { ...wholeNumber, maximum: 255 };
  const digit = { prediction: { ...wholeNumber, maximum: classes - 1 }, probabilities };
  const pixels = { type: 'number', minimum: 0 };
  const box = record({ left: pixels, top: pixels, width: pixels, height: pixels });
  const place = { box, line: { type: 'integer', minimum: 1 } };
  const steps = list(record({ name: anyText, image: anyText }));
  return {
    Upload: {
      type: 'object',
      required: ['prediction', 'probabilities', 'digits', 'lines', 'pixels'],
      properties: {
        prediction: { type: ['integer', 'null'], minimum: 0, maximum: classes - 1 },
        probabilities: { type: 'array', items: anyShare, maxItems: classes },
        label: anyText,
        digits: list(record({ ...digit, ...place })),
        lines: list(anyText),
        explanation: record({ steps, digits: list(record({ ...digit, ...place, seen: anyText, steps })) }),
        blank: { const: true },
        message: anyText,
        pixels: list(list(channels === 1 ? level : list(level, channels), width), height),
      },
    },
  };
}

function fixedSchemas(): Readonly<Record<string, Schema>> {
  const tensorInfo = record({
    dtype: anyText,
    tensor_shape: record({
      dim: list(record({ size: anyText, name: anyText })),
      unknown_rank: yesOrNo,
    }),
    name: anyText,
  });
  return {
    Problem: record({ error: anyText, 'status?': wholeNumber, 'requestId?': anyText }),
    ClassifyAnswer: record({
      results: list(list({ type: 'array', prefixItems: [anyText, anyShare], minItems: 2, maxItems: 2 })),
    }),
    Status: record({
      model_version_status: list(
        record({
          version: anyText,
          state: { enum: ['LOADING', 'AVAILABLE'] },
          status: record({ error_code: anyText, error_message: anyText }),
        }),
      ),
    }),
    Metadata: record({
      model_spec: record({ name: anyText, signature_name: anyText, version: anyText }),
      metadata: record({
        signature_def: record({
          signature_def: map(
            record({ inputs: map(tensorInfo), outputs: map(tensorInfo), method_name: anyText }),
          ),
        }),
        'fedbatch_scale?': anyText,
        'fedbatch_answers?': anyText,
      }),
    }),
    ServerMetadata: record({ name: anyText, version: anyText, extensions: list(anyText) }),
    Live: record({ live: yesOrNo }),
    Ready: record({ ready: yesOrNo }),
    ModelReady: record({ name: anyText, ready: yesOrNo }),
    Model: modelSchema(),
    Health: record({ status: anyText }),
    Rollback: record({ version: wholeNumber, sha256: anyText }),
  };
}

/** The answer to GET /model, as it is declared. */
function modelSchema(): Schema {
  const { $schema: _dialect, ...schema } = z.toJSONSchema(modelAnswerSchema, { io: 'input' });
  return schema;
}
