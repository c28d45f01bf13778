/** The schemas of the OpenAPI document, shaped by the served model. */
import { type ModelFacts, reference, type Schema } from './openapi-parts.js';

const text = { type: 'string' };
const count = { type: 'integer', minimum: 0 };

function list(items: Schema, length?: number): Schema {
  return { type: 'array', items, ...(length === undefined ? {} : { minItems: length, maxItems: length }) };
}

/** An object of exactly these fields; those whose name ends in `?` may be missing. */
function record(fields: Readonly<Record<string, Schema>>): Schema {
  const entries = Object.entries(fields);
  return {
    type: 'object',
    required: entries.flatMap(([name]) => (name.endsWith('?') ? [] : [name])),
    properties: Object.fromEntries(entries.map(([name, schema]) => [name.replace(/\?$/, ''), schema])),
    additionalProperties: false,
  };
}

/** All schemas by name. */
export function schemas(facts: ModelFacts): Readonly<Record<string, Schema>> {
  const { inputShape, outputs } = facts;
  if (inputShape !== undefined) return pictureSchemas(facts, inputShape);
  const all = pictureSchemas(facts, [0, 0, 0]);
  const tensor = { name: { enum: outputs }, datatype: text, shape: list(count) };
  const numbers = { type: 'array', items: { type: 'number' } };
  const model = all.Model as { readonly required: readonly string[]; readonly properties: object };
  const named = list(record({ name: text, datatype: text, shape: list({ type: 'integer' }) }));
  return {
    ...all,
    // Of any shape: the metadata tell which.
    Image: {},
    PredictAnswer: { oneOf: [record({ predictions: list({}) }), record({ outputs: {} })] },
    ModelMetadata: record({
      name: text,
      versions: list(text),
      platform: text,
      inputs: named,
      outputs: named,
    }),
    InferRequest: { type: 'object', required: ['inputs'], properties: { inputs: list({ type: 'object' }) } },
    InferAnswer: record({
      model_name: text,
      model_version: text,
      'id?': text,
      outputs: list(record({ ...tensor, data: numbers })),
    }),
    Model: {
      ...model,
      required: [...model.required.filter((name) => name !== 'inputShape'), 'inputs', 'outputs'],
      properties: {
        ...model.properties,
        inputs: list({ type: 'object', required: ['name', 'shape'] }),
        outputs: list({ type: 'object', required: ['name', 'shape', 'task'] }),
      },
    },
  };
}

function pictureSchemas(
  { signature, classes }: ModelFacts,
  [height, width, channels]: readonly number[],
): Readonly<Record<string, Schema>> {
  const share = { type: 'number', minimum: 0, maximum: 1 };
  const probabilities = list(share, classes);
  const image = list(list(list({ type: 'number' }, channels), width), height);
  const level = { type: 'integer', minimum: 0, maximum: 255 };
  const version = record({ version: count, sha256: text, loadedAt: { type: 'string', format: 'date-time' } });
  const tensor = { name: text, datatype: text, shape: list({ type: 'integer' }) };
  const digit = { prediction: { type: 'integer', minimum: 0, maximum: classes - 1 }, probabilities };
  const pixels = { type: 'number', minimum: 0 };
  const box = record({ left: pixels, top: pixels, width: pixels, height: pixels });
  const place = { box, line: { type: 'integer', minimum: 1 } };
  const steps = list(record({ name: text, image: text }));
  const map = (values: Schema) => ({ type: 'object', additionalProperties: values });
  const tensorInfo = record({
    dtype: text,
    tensor_shape: record({
      dim: list(record({ size: text, name: text })),
      unknown_rank: { type: 'boolean' },
    }),
    name: text,
  });
  return {
    Problem: record({ error: text, 'status?': count, 'requestId?': text }),
    Upload: {
      type: 'object',
      required: ['prediction', 'probabilities', 'digits', 'lines', 'pixels'],
      properties: {
        prediction: { type: ['integer', 'null'], minimum: 0, maximum: classes - 1 },
        probabilities: { type: 'array', items: share, maxItems: classes },
        label: text,
        digits: list(record({ ...digit, ...place })),
        lines: list(text),
        explanation: record({ steps, digits: list(record({ ...digit, ...place, seen: text, steps })) }),
        blank: { const: true },
        message: text,
        pixels: list(list(channels === 1 ? level : list(level, channels), width), height),
      },
    },
    Words: record({ answers: list({ type: 'object' }) }),
    Image: image,
    PredictRequest: {
      oneOf: [
        record({
          'signature_name?': text,
          instances: list({ oneOf: [reference('Image'), map(reference('Image'))] }),
        }),
        record({
          'signature_name?': text,
          inputs: { oneOf: [list(reference('Image')), map(list(reference('Image')))] },
        }),
      ],
    },
    PredictAnswer: {
      oneOf: [record({ predictions: list(probabilities) }), record({ outputs: list(probabilities) })],
    },
    ClassifyRequest: record({ 'signature_name?': text, examples: list(map(list({ type: 'number' }))) }),
    ClassifyAnswer: record({
      results: list({
        type: 'array',
        items: { type: 'array', prefixItems: [text, share], minItems: 2, maxItems: 2 },
        minItems: classes,
        maxItems: classes,
      }),
    }),
    Status: record({
      model_version_status: list(
        record({
          version: text,
          state: { enum: ['LOADING', 'AVAILABLE'] },
          status: record({ error_code: text, error_message: text }),
        }),
      ),
    }),
    Metadata: record({
      model_spec: record({ name: text, signature_name: text, version: text }),
      metadata: record({
        signature_def: record({
          signature_def: map(
            record({ inputs: map(tensorInfo), outputs: map(tensorInfo), method_name: text }),
          ),
        }),
        'fedbatch_scale?': text,
        'fedbatch_answers?': text,
      }),
    }),
    ServerMetadata: record({ name: text, version: text, extensions: list(text) }),
    Live: record({ live: { type: 'boolean' } }),
    Ready: record({ ready: { type: 'boolean' } }),
    ModelReady: record({ name: text, ready: { type: 'boolean' } }),
    ModelMetadata: record({
      name: text,
      versions: list(text),
      platform: text,
      inputs: list(record({ ...tensor, name: { const: signature.input } })),
      outputs: list(record({ ...tensor, name: { const: signature.output } })),
      'properties?': record({ fedbatch_scale: text }),
    }),
    InferRequest: {
      type: 'object',
      required: ['inputs'],
      properties: {
        id: text,
        inputs: list(
          {
            type: 'object',
            required: ['name', 'datatype', 'shape'],
            properties: { ...tensor, data: { type: 'array' }, parameters: { type: 'object' } },
          },
          1,
        ),
        outputs: list({
          type: 'object',
          required: ['name'],
          properties: { name: { const: signature.output } },
        }),
        parameters: { type: 'object' },
      },
    },
    InferAnswer: record({
      model_name: text,
      model_version: text,
      'id?': text,
      outputs: list(record({ ...tensor, name: { const: signature.output }, data: list(share) }), 1),
    }),
    Model: {
      type: 'object',
      required: [
        'file',
        'sha256',
        'inputShape',
        'classes',
        'engine',
        'signature',
        'name',
        'version',
        'versions',
      ],
      properties: {
        file: text,
        sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' },
        inputShape: list(count, 3),
        scale: record({ black: list({ type: 'number' }), white: list({ type: 'number' }) }),
        task: text,
        classes: count,
        engine: text,
        signature: record({ input: text, output: text }),
        labels: list(text, classes),
        name: text,
        version: count,
        versions: list(version),
        refused: record({ sha256: text, reason: text, at: { type: 'string', format: 'date-time' } }),
      },
    },
    Health: record({ status: text }),
    Rollback: record({ version: count, sha256: text }),
  };
}
