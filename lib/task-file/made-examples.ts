/** Examples that `prepare` of a task made, checked: its author's code may give anything. */
import { sizeOf } from '../core/weights.js';
import { type ExampleArray, type ExampleValues, MAX_CLASSES } from '../federation/examples.js';
import { findNonFinite } from '../formats/data/input-array.js';

type Fault = readonly [expected: string, found: string];
type Loose = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Loose => typeof value === 'object' && value !== null;

/** What is wrong with examples that somebody's code made, as many as `count` should be. */
export function faultOfMade(made: unknown, count: number): Fault | undefined {
  if (made instanceof Promise) return ['examples', 'a promise of them: it must not be async'];
  const { inputs, targets, weights }: Loose = isObject(made) ? made : {};
  for (const arrays of [inputs, targets]) {
    if (Array.isArray(arrays) && arrays.length > 0) continue;
    const found = isObject(made) ? `{ ${Object.entries(made).map(describeEntry).join(', ')} }` : `${made}`;
    return ['examples { inputs: [...], targets: [...] }', found];
  }
  for (const [kind, arrays] of Object.entries({ inputs, targets } as Readonly<Record<string, unknown[]>>)) {
    for (const [at, array] of arrays.entries()) {
      const name = `${kind}[${at}]`;
      if (!isObject(array) || typeof array.name !== 'string') return [`${name} with a name`, 'none'];
      const fault = arrayFault(array, name, count);
      if (fault !== undefined) return fault;
      const unfit = kind === 'targets' ? targetFault(array as unknown as ExampleArray, name) : undefined;
      if (unfit !== undefined) return unfit;
    }
  }
  return weightFault(weights, count);
}

/** `inputs: [1]`, `targets`: lists with their lengths. */
const describeEntry = ([name, value]: readonly [string, unknown]) =>
  Array.isArray(value) ? `${name}: [${value.length}]` : name;

const TYPES = [Uint8Array, Int32Array, Float32Array, Float64Array];

function arrayFault({ shape, values }: Loose, name: string, count: number): Fault | undefined {
  if (!TYPES.some((type) => values instanceof type))
    return [`${name}.values as one of ${TYPES.map((type) => type.name).join(', ')}`, typeName(values)];
  if (!Array.isArray(shape) || !shape.every((extent) => Number.isSafeInteger(extent) && extent > 0))
    return [`${name}.shape as a list of whole numbers`, JSON.stringify(shape) ?? 'none'];
  const text = `[${shape.join(',')}]`;
  if (shape[0] !== count) return [`${name} of all ${count} examples`, `a shape of ${text}`];
  const numbers = values as ExampleValues;
  if (numbers.length !== sizeOf(shape))
    return [`${sizeOf(shape)} ${name}.values for the shape ${text}`, `${numbers.length}`];
  const odd = findNonFinite(numbers);
  return odd < 0
    ? undefined
    : [`finite ${name}.values`, `${numbers[odd]} in example ${Math.floor((odd * count) / numbers.length)}`];
}

/** Labels are int32; numbers float32; what holds of several uint8. */
function targetFault({ shape, values }: ExampleArray, name: string): Fault | undefined {
  const all = 'labels (Int32Array), numbers (Float32Array), or 0 and 1 (Uint8Array)';
  if (values instanceof Float64Array) return [`${name} as ${all}`, `Float64Array [${shape.join(',')}]`];
  if (values instanceof Float32Array) return undefined;
  const most = values instanceof Int32Array ? MAX_CLASSES - 1 : 1;
  const odd = values.find((value) => value < 0 || value > most);
  return odd === undefined ? undefined : [`${name}.values from 0 to ${most}`, `${odd}`];
}

function weightFault(weights: unknown, count: number): Fault | undefined {
  if (weights === undefined) return undefined;
  const isRight =
    weights instanceof Float32Array &&
    weights.length === count &&
    weights.every((weight) => weight >= 0 && Number.isFinite(weight));
  return isRight
    ? undefined
    : [`weights as a Float32Array of ${count} numbers of at least 0`, typeName(weights)];
}

const typeName = (value: unknown): string =>
  isObject(value)
    ? ((value.constructor as { readonly name: string } | undefined)?.name ?? 'an object')
    : `${value}`;
