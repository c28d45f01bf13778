/** Bodies of TensorFlow Serving's REST API (tensorflow.org/tfx/serving/api_rest): its requests to tensors, numbers to its answers. */
import { bad, HttpProblem } from '../../lib/http/problems.js';
import { type Answers, listsOf } from './answers.js';
import { parseJson, requireObject } from './json.js';
import { isList } from './number-lists.js';
import { describe, type NamedTensors, tensorFromLists } from './tensor.js';

/** The names of the only signature, as Keras exports it and as TensorFlow's estimators did; the empty name means it too. */
export const SIGNATURES = ['serving_default', 'predict'] as const;

/** A name of the signature. */
type SignatureName = (typeof SIGNATURES)[number];

/** A body of `:predict`. */
interface PredictBody {
  readonly tensors: NamedTensors;
  /** `instances` are answered by `predictions`, `inputs` by `outputs`. */
  readonly format: 'row' | 'column';
}

/** Reads a body of `:predict`. @throws {HttpProblem} 400 with what is wrong with it */
export function readPredictBody({ body }: { readonly body: Uint8Array }): PredictBody {
  const {
    instances,
    inputs,
    signature_name: signature,
  } = requireObject(parseJson(body, ['instances', 'inputs']));
  requireSignature(signature);
  if (instances !== undefined && inputs !== undefined)
    throw new HttpProblem(400, "Expected one of the keys 'instances' and 'inputs', found both.");
  if (inputs !== undefined) return { tensors: columns(inputs), format: 'column' };
  if (instances === undefined) throw new HttpProblem(400, "Missing 'inputs' or 'instances' key.");
  return { tensors: rows(instances), format: 'row' };
}

/** Reads a body of `:classify`: each example has features, lists of numbers. @throws {HttpProblem} 400 */
export function readClassifyBody({ body }: { readonly body: Uint8Array }): NamedTensors {
  const { examples, signature_name: signature } = requireObject(parseJson(body, ['examples']));
  requireSignature(signature);
  if (!isList(examples)) throw new HttpProblem(400, "Missing 'examples' key.");
  return rows(examples);
}

/** Inputs by name, each a batch; or the only one. */
function columns(inputs: unknown): NamedTensors {
  if (!isNamed(inputs)) return { '': tensorFromLists(inputs) };
  return Object.fromEntries(Object.entries(inputs).map(([name, list]) => [name, tensorFromLists(list)]));
}

/** Example by example: each has its inputs by name, as the first has, or is the only input. */
function rows(instances: unknown): NamedTensors {
  if (!Array.isArray(instances) || !isNamed(instances[0])) return { '': tensorFromLists(instances) };
  const names = Object.keys(instances[0]);
  const listOf = (name: string) =>
    instances.map((each: unknown, at) => {
      if (isNamed(each) && Object.hasOwn(each, name)) return each[name];
      throw bad(
        `the inputs ${names.join(', ')} in each example, as in the first`,
        `${isNamed(each) ? Object.keys(each).join(', ') || 'none' : describe(each)} in example ${at}`,
      );
    });
  return Object.fromEntries(names.map((name) => [name, tensorFromLists(listOf(name))]));
}

function isNamed(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || isList(value)) return false;
  if ('b64' in value) throw bad('numbers', describe(value));
  return true;
}

/** Writes the answer to `:predict`: of several outputs by their names. */
export function writePredictions({ format, ...given }: Answers & Pick<PredictBody, 'format'>): Uint8Array {
  const lists = given.outputs.map((output) => [output.name, listsOf(given, output)] as const);
  const byName = () => Object.fromEntries(lists);
  const byRow = () =>
    Array.from({ length: given.count }, (_, at) =>
      Object.fromEntries(lists.map(([name, list]) => [name, list[at]])),
    );
  const only = lists.length === 1 ? lists[0]?.[1] : undefined;
  const answer = format === 'row' ? { predictions: only ?? byRow() } : { outputs: only ?? byName() };
  return Buffer.from(JSON.stringify(answer));
}

/** Writes the answer to `:classify`: `[label, score]` of every class. */
export function writeClasses({
  labels,
  ...given
}: Answers & { readonly labels: readonly string[] | undefined }): Uint8Array {
  const [output] = given.outputs;
  const lists = output === undefined ? [] : (listsOf(given, output) as readonly (readonly number[])[]);
  const results = lists.map((row) => row.map((score, index) => [labels?.[index] ?? String(index), score]));
  return Buffer.from(JSON.stringify({ results }));
}

/** The signature that a request names. @throws {HttpProblem} 400 where it is not there */
export function requireSignature(name: unknown): SignatureName {
  const known = SIGNATURES.find(
    (each) => each === (name === undefined || name === '' ? SIGNATURES[0] : name),
  );
  if (known !== undefined) return known;
  const found = typeof name === 'string' ? `"${name}"` : describe(name);
  const names = SIGNATURES.map((each) => `"${each}"`).join(' or ');
  throw new HttpProblem(400, `Serving signature key ${found} not found; expected ${names}.`);
}
