/** Pieces of the OpenAPI document that repeat: schemas of lists and objects, bodies, answers, problems, parts of an address. */
import type { ServedInput, ServedOutput } from '../models/served-facts.js';

/** A JSON Schema. */
export type Schema = Readonly<Record<string, unknown>>;

/** What a client can do at an address. */
export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly requestBody?: object;
  readonly responses: Readonly<Record<string, object>>;
}

/** What the served model gives the document. */
export interface ModelFacts {
  readonly name: string;
  readonly version: number;
  readonly inputs: readonly ServedInput[];
  readonly outputs: readonly ServedOutput[];
  /** Of a model that tells what a picture shows. */
  readonly pictureShape: readonly number[] | undefined;
}

export const anyText: Schema = { type: 'string' };
export const anyNumber: Schema = { type: 'number' };
export const wholeNumber: Schema = { type: 'integer', minimum: 0 };
export const anyShare: Schema = { type: 'number', minimum: 0, maximum: 1 };
export const yesOrNo: Schema = { type: 'boolean' };

/** A list, of a fixed length where one is given. */
export function list(items: Schema, length?: number): Schema {
  return { type: 'array', items, ...(length === undefined ? {} : { minItems: length, maxItems: length }) };
}

/** An object of exactly these fields; those whose name ends in `?` may be missing. */
export function record(fields: Readonly<Record<string, Schema>>): Schema {
  const entries = Object.entries(fields);
  return {
    type: 'object',
    required: entries.flatMap(([name]) => (name.endsWith('?') ? [] : [name])),
    properties: Object.fromEntries(entries.map(([name, schema]) => [name.replace(/\?$/, ''), schema])),
    additionalProperties: false,
  };
}

/** An object of any fields that are all alike. */
export function map(values: Schema): Schema {
  return { type: 'object', additionalProperties: values };
}

/** A schema of the document by its name. */
export function reference(schema: string): Schema {
  return { $ref: `#/components/schemas/${schema}` };
}

/** A required body, with one that works where there is one. */
export function body(type: string, schema: Schema, example?: object): object {
  return { required: true, content: { [type]: { schema, ...(example === undefined ? {} : { example }) } } };
}

/** A required body of JSON. */
export function jsonBody(schema: string, example?: object): object {
  return body('application/json', reference(schema), example);
}

/** The answer when all went well. */
export function answers(schema: string): Record<string, object> {
  return {
    200: { description: 'The answer.', content: { 'application/json': { schema: reference(schema) } } },
  };
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'The request is not what was expected; the answer says what was.',
  401: 'Credentials are needed.',
  403: 'Nobody may do this here.',
  404: 'There is no such model, version or label.',
  409: 'There is nothing to return to.',
  413: 'The body or the picture is too large.',
  415: 'The body is of another type.',
  422: 'The picture is damaged.',
  503: 'No model can answer, or too much is asked at the moment; try again.',
};

/** Answers when something is wrong. */
export function problems(...statuses: readonly number[]): Record<string, object> {
  const content = { 'application/json': { schema: reference('Problem') } };
  return Object.fromEntries(
    statuses.map((status) => [status, { description: REASONS[status] ?? '', content }]),
  );
}

/** A part of an address. */
export type PathPart = 'model' | 'version' | 'label';

/** Parts of an address, each with what the served model has there. */
export function parameters({ name, version }: ModelFacts, ...names: readonly PathPart[]): readonly object[] {
  const examples = { model: name, version: String(version), label: 'stable' };
  return names.map((each) => ({
    name: each,
    in: 'path',
    required: true,
    schema: { type: 'string' },
    example: examples[each],
  }));
}
