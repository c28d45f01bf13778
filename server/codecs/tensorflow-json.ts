/** Bodies of TensorFlow Serving's REST API (tensorflow.org/tfx/serving/api_rest): its requests to tensors, probabilities to its answers. */
import { HttpProblem } from '../problems.js';
import { parseJson, requireObject } from './json.js';
import { bad, describe, type RequestTensor, rowsOf, tensorFromLists } from './tensor.js';

/** The names of the only signature, as Keras exports it and as TensorFlow's estimators did; the empty name means it too. */
export const SIGNATURES = ['serving_default', 'predict'] as const;

/** A name of the signature. */
type SignatureName = (typeof SIGNATURES)[number];

/** A body of `:predict`. */
interface PredictBody {
  readonly tensor: RequestTensor;
  /** `instances` are answered by `predictions`, `inputs` by `outputs`. */
  readonly format: 'row' | 'column';
}

/** Reads a body of `:predict`. @throws {HttpProblem} 400 with what is wrong with it */
export function readPredictBody({ body }: { readonly body: Uint8Array }): PredictBody {
  const { instances, inputs, signature_name: signature } = requireObject(parseJson(body));
  requireSignature(signature);
  if (instances !== undefined && inputs !== undefined)
    throw new HttpProblem(400, "Expected one of the keys 'instances' and 'inputs', found both.");
  if (inputs !== undefined) return { tensor: tensorFromLists(onlyInput(inputs)), format: 'column' };
  if (instances === undefined) throw new HttpProblem(400, "Missing 'inputs' or 'instances' key.");
  const list = Array.isArray(instances) ? instances.map(onlyInput) : instances;
  return { tensor: tensorFromLists(list), format: 'row' };
}

/** Reads a body of `:classify`: each example has one feature, a list of numbers. @throws {HttpProblem} 400 */
export function readClassifyBody({ body }: { readonly body: Uint8Array }): RequestTensor {
  const { examples, signature_name: signature } = requireObject(parseJson(body));
  requireSignature(signature);
  if (!Array.isArray(examples)) throw new HttpProblem(400, "Missing 'examples' key.");
  return tensorFromLists(examples.map(onlyInput));
}

/** Probabilities of `count` images. */
export interface Answers {
  /** `[count, classes]` */
  readonly probabilities: Float32Array;
  readonly count: number;
}

/** Writes the answer to `:predict`. */
export function writePredictions({
  format,
  probabilities,
  count,
}: Answers & Pick<PredictBody, 'format'>): Uint8Array {
  const rows = rowsOf(probabilities, count);
  return Buffer.from(JSON.stringify(format === 'row' ? { predictions: rows } : { outputs: rows }));
}

/** Writes the answer to `:classify`: `[label, score]` of every class. */
export function writeClasses({
  labels,
  probabilities,
  count,
}: Answers & { readonly labels: readonly string[] | undefined }): Uint8Array {
  const results = rowsOf(probabilities, count).map((row) =>
    row.map((score, index) => [labels?.[index] ?? String(index), score]),
  );
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

/** The model has one input, so whatever a client calls it is taken. */
function onlyInput(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  if ('b64' in value) throw bad('numbers', describe(value));
  const entries = Object.values(value);
  if (entries.length === 1) return entries[0];
  throw new HttpProblem(400, `Expected one input, found ${entries.length}.`);
}
