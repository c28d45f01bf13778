/** What the served model takes and answers, as schemas of the OpenAPI document, and requests that work when they are pasted. */
import { sizeOf } from '../../lib/core/weights.js';
import { nested } from '../codecs/answers.js';
import type { ServedInput, ServedOutput } from '../models/served-facts.js';
import { FIELD_PREFIX } from '../pictures/upload.js';
import { exampleShapes } from './model-rows.js';
import {
  anyNumber,
  anyShare,
  anyText,
  list,
  type ModelFacts,
  map,
  record,
  reference,
  type Schema,
  wholeNumber,
  yesOrNo,
} from './openapi-parts.js';

/** So many categories are listed; of more, any text is let through by the document. */
const MOST_CATEGORIES = 256;
/** A request of more numbers is nothing to paste. */
const MOST_EXAMPLE_NUMBERS = 4096;

/** Lists within lists of a shape. */
function lists(items: Schema, shape: readonly number[]): Schema {
  return shape.reduceRight((inner, extent) => list(inner, extent), items);
}

/** One number of an input, or the name of what it stands for. */
function itemOf({ categories, below, isInteger }: ServedInput): Schema {
  const most = below === undefined ? {} : { minimum: 0, maximum: below - 1 };
  const own = below !== undefined || isInteger ? { type: 'integer', ...most } : anyNumber;
  if (categories === undefined) return own;
  const name = categories.length > MOST_CATEGORIES ? anyText : { enum: categories };
  return { anyOf: [name, own] };
}

/** One example of an input, in each shape that is taken. */
function inputSchema(input: ServedInput): Schema {
  const shapes = exampleShapes(input.shape);
  const others = shapes.filter((each, at) => shapes.findIndex((one) => one.join() === each.join()) === at);
  return { anyOf: others.map((each) => lists(itemOf(input), each)) };
}

function outputItem({ task, isLogits = false }: ServedOutput): Schema {
  return task === 'regression' || isLogits ? anyNumber : anyShare;
}

/** What an output says of one example, in numbers. */
const outputSchema = (output: ServedOutput): Schema => lists(outputItem(output), output.shape);

/** What an output says of one example, in the words of its task. */
function wordsSchema(output: ServedOutput): Schema {
  const { shape, task } = output;
  if (shape.length > 1) {
    const step = wordsSchema({ ...output, shape: shape.slice(1) });
    return record({ steps: list(step, shape[0]) });
  }
  const [size = 1] = shape;
  switch (task) {
    case 'classification':
      return record({
        prediction: { ...wholeNumber, maximum: size - 1 },
        'label?': anyText,
        probabilities: list(anyShare, size),
        'scores?': list(anyNumber, size),
      });
    case 'binary':
      return record({ holds: yesOrNo, probability: anyShare, 'label?': anyText });
    case 'multi-label':
      return record({
        holds: list(wholeNumber),
        'labels?': list(anyText),
        probabilities: list(anyShare, size),
      });
    case 'regression':
      return size === 1
        ? record({ value: anyNumber, 'target?': anyText, 'unit?': anyText })
        : record({ values: list(anyNumber, size) });
  }
}

/** All outputs of a model: one alone as it is, several by name. */
function ofOutputs(
  outputs: readonly ServedOutput[],
  schemaOf: (output: ServedOutput) => Schema,
  several: (all: Schema) => Schema = (all) => all,
): Schema {
  const [only, ...others] = outputs;
  if (only !== undefined && others.length === 0) return schemaOf(only);
  return several(record(Object.fromEntries(outputs.map((each) => [each.name, schemaOf(each)]))));
}

/** The schemas that depend on the model. */
export function modelSchemas({ inputs, outputs }: ModelFacts): Readonly<Record<string, Schema>> {
  const [only, ...otherInputs] = inputs;
  const isOnly = only !== undefined && otherInputs.length === 0;
  const byName = (schemaOf: (input: ServedInput) => Schema) =>
    record(Object.fromEntries(inputs.map((input) => [input.name, schemaOf(input)])));
  const signature = { 'signature_name?': anyText };
  const tensor = { name: anyText, datatype: anyText, shape: list({ type: 'integer' }) };
  const named = (names: readonly string[]) =>
    list(record({ ...tensor, name: { enum: names } }), names.length);
  const names = outputs.map(({ name }) => name);
  return {
    Example: isOnly ? inputSchema(only) : byName(inputSchema),
    PredictRequest: {
      oneOf: isOnly
        ? [
            // A model of one input takes it under any name.
            record({
              ...signature,
              instances: list({ anyOf: [reference('Example'), map(reference('Example'))] }),
            }),
            record({
              ...signature,
              inputs: { anyOf: [list(reference('Example')), map(list(reference('Example')))] },
            }),
          ]
        : [
            record({ ...signature, instances: list(reference('Example')) }),
            record({ ...signature, inputs: byName((input) => list(inputSchema(input))) }),
          ],
    },
    ClassifyRequest: record({
      ...signature,
      examples: list(isOnly ? map(list(itemOf(only))) : byName((input) => list(itemOf(input)))),
    }),
    PredictAnswer: {
      oneOf: [
        record({ predictions: list(ofOutputs(outputs, outputSchema)) }),
        record({ outputs: ofOutputs(outputs, (output) => list(outputSchema(output))) }),
      ],
    },
    Words: record({
      answers: list(ofOutputs(outputs, wordsSchema, (all) => record({ outputs: all }))),
    }),
    ModelMetadata: record({
      name: anyText,
      versions: list(anyText),
      platform: anyText,
      inputs: named(inputs.map(({ name }) => name)),
      outputs: named(names),
      'properties?': record({ fedbatch_scale: anyText }),
    }),
    InferRequest: {
      type: 'object',
      required: ['inputs'],
      properties: {
        id: anyText,
        inputs: list(
          {
            type: 'object',
            required: ['name', 'datatype', 'shape'],
            properties: {
              ...tensor,
              name: isOnly ? anyText : { enum: inputs.map(({ name }) => name) },
              data: { type: 'array' },
              parameters: { type: 'object' },
            },
          },
          inputs.length,
        ),
        outputs: list({ type: 'object', required: ['name'], properties: { name: { enum: names } } }),
        parameters: { type: 'object' },
      },
    },
    InferAnswer: record({
      model_name: anyText,
      model_version: anyText,
      'id?': anyText,
      outputs: list(record({ ...tensor, name: { enum: names }, data: list(anyNumber) })),
    }),
  };
}

/** The fields of `POST /predict`. */
export function formSchema({ inputs }: ModelFacts): Schema {
  const binary = { type: 'string', contentMediaType: 'application/octet-stream' };
  const fields = inputs.map((input) => [
    FIELD_PREFIX + input.name,
    input.isPicture
      ? { anyOf: [binary, anyText] }
      : { anyOf: [anyText, list({ anyOf: [itemOf(input), anyText] })] },
  ]);
  return {
    type: 'object',
    properties: { ...Object.fromEntries(fields), file: binary, format: { enum: ['csv'] } },
    additionalProperties: false,
  };
}

/** Numbers, or names of categories, that the model takes. */
function exampleNumbers(input: ServedInput): readonly (number | string)[] {
  const { shape, columns, categories, below } = input;
  return Array.from({ length: sizeOf(shape) }, (_, at) => {
    if (categories?.[0] !== undefined) return categories[at % categories.length] as string;
    if (below !== undefined) return at % below;
    const { least = 0, most = 0 } = columns?.[at] ?? {};
    return (least + most) / 2;
  });
}

/** Bodies that work when they are pasted. */
export interface ExampleBodies {
  readonly instances: object;
  readonly inputs: object;
  readonly classify: object;
  readonly infer: object;
  readonly form: object;
}

/** One example for each address; undefined where that would be too long to paste. */
export function exampleBodies({ inputs }: ModelFacts): ExampleBodies | undefined {
  if (inputs.reduce((sum, { shape }) => sum + sizeOf(shape), 0) > MOST_EXAMPLE_NUMBERS) return undefined;
  const given = inputs.map((input) => ({ ...input, numbers: exampleNumbers(input) }));
  const byName = (valueIn: (each: (typeof given)[number]) => unknown) =>
    Object.fromEntries(given.map((each) => [each.name, valueIn(each)]));
  const example = byName(({ numbers, shape }) => nested(numbers, shape));
  const tensors = given.map(({ name, shape, numbers, categories, below, isInteger }) => ({
    name,
    datatype: categories !== undefined ? 'BYTES' : below !== undefined || isInteger ? 'INT32' : 'FP32',
    shape: [1, ...shape],
    data: numbers,
  }));
  return {
    instances: { instances: [example] },
    inputs: { inputs: byName(({ numbers, shape }) => [nested(numbers, shape)]) },
    classify: { examples: [byName(({ numbers }) => numbers)] },
    infer: { inputs: tensors },
    form: Object.fromEntries(
      given.map(({ name, numbers, shape }) => [
        FIELD_PREFIX + name,
        shape.length > 1 ? JSON.stringify(nested(numbers, shape)) : numbers,
      ]),
    ),
  };
}
