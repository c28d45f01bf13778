/** Pieces of the OpenAPI document that repeat: bodies, answers, problems, parts of an address. */

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
  readonly signature: { readonly input: string; readonly output: string };
  /** Of a picture; undefined of a model that takes other inputs. */
  readonly inputShape: readonly number[] | undefined;
  readonly outputs: readonly string[];
  readonly classes: number;
}

/** A schema of the document by its name. */
export function reference(schema: string): Schema {
  return { $ref: `#/components/schemas/${schema}` };
}

/** A required body. */
export function body(type: string, schema: Schema): object {
  return { required: true, content: { [type]: { schema } } };
}

/** A required body of JSON. */
export function jsonBody(schema: string): object {
  return body('application/json', reference(schema));
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

/** Parts of an address, each with what the served model has there. */
export function parameters(
  { name, version }: ModelFacts,
  ...names: readonly ('model' | 'version' | 'label')[]
): readonly object[] {
  const examples = { model: name, version: String(version), label: 'stable' };
  return names.map((each) => ({
    name: each,
    in: 'path',
    required: true,
    schema: { type: 'string' },
    example: examples[each],
  }));
}
