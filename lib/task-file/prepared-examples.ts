/** What a task makes of examples, once for each: by the split of a run, else by the program that reads them. */
import { DataError, UsageError } from '../core/errors.js';
import { sizeOf } from '../core/weights.js';
import {
  type Dataset,
  type ExampleArray,
  type Examples,
  type ExampleValues,
  exampleCount,
  MAX_CLASSES,
  type TargetKind,
} from '../federation/examples.js';
import { type LossSettings, targetsFor } from '../federation/loss.js';
import { type ExampleReading, readShard, type ShardOptions } from '../formats/data/dataset.js';
import type { Manifest } from '../formats/manifest.js';
import { listedBeside, targetsIn } from '../formats/manifest-beside.js';
import type { TaskFile } from './read-task.js';
import { thrownBy } from './task-module.js';

/** Examples that a model can be given. */
interface PreparedExamples {
  readonly examples: Examples;
  /** Whether a manifest beside the file does not speak of them. */
  readonly isPreparedHere: boolean;
  /** The manifest that does, where one lists the file; read when it is first needed. */
  listed(): Promise<Manifest | undefined>;
}

/** By which task and loss examples are read. */
interface Preparation {
  readonly task: TaskFile | undefined;
  readonly loss: LossSettings | undefined;
}

/** What the targets in a dataset are to be read as: a task that prepares them may turn anything into what its loss wants. */
export const wantedTargets = ({ task, loss }: Preparation): TargetKind | undefined =>
  task?.prepare === undefined ? targetsFor(loss) : undefined;

/**
 * Reads examples as the model takes them.
 *
 * @throws {DataError} as `readShard`, and when another task has prepared them
 * @throws {UsageError} when `prepare` fails
 */
export async function readPrepared(
  path: string,
  { task, loss }: Preparation,
  { read = readShard, ...options }: Omit<ShardOptions, 'targets'> & { readonly read?: typeof readShard },
): Promise<PreparedExamples> {
  let found: Promise<Manifest | undefined> | undefined;
  const listed = () => {
    found ??= listedBeside(path);
    return found;
  };
  const readAs = async (targets: ExampleReading['targets']) =>
    read(path, { ...options, ...(targets === undefined ? {} : { targets }) });
  const preparedBy = task && (await listed())?.task;
  if (task?.prepare !== undefined && preparedBy === undefined) {
    const examples = prepared(task, await readAs(undefined));
    return { examples, isPreparedHere: true, listed: async () => undefined };
  }
  if (task !== undefined && preparedBy !== undefined && preparedBy !== task.sha256) {
    throw new DataError({
      file: path,
      expected: `examples that ${task.path} has prepared`,
      found: 'those of another task, or of this one before it was changed',
    });
  }
  return { examples: await readAs(await targetsIn(listed, loss)), isPreparedHere: false, listed };
}

/** A dataset as the model of a task takes it. @throws {UsageError} when `prepare` fails */
export function preparedDataset<T extends Dataset>(task: TaskFile | undefined, dataset: T): T {
  if (task === undefined) return dataset;
  const { train, test } = dataset;
  return {
    ...dataset,
    train: prepared(task, train),
    ...(test === undefined ? {} : { test: prepared(task, test) }),
  };
}

/** What a task makes of examples. @throws {UsageError} when it fails, or what it makes are none */
function prepared({ prepare, path }: TaskFile, examples: Examples): Examples {
  if (prepare === undefined) return examples;
  let made: unknown;
  try {
    made = prepare(examples);
  } catch (error) {
    throw thrownBy(error, `${path}: prepare failed:`);
  }
  const fault = faultOf(made, exampleCount(examples));
  if (fault === undefined) return inRows(made as Examples);
  throw new UsageError(`${path}: expected prepare to give ${fault[0]}, found ${fault[1]}.`);
}

/** A number for each example may come as a list of them. */
function inRows({ targets, ...examples }: Examples): Examples {
  const rows = targets.map((each) =>
    each.shape.length > 1 || each.values instanceof Int32Array
      ? each
      : { ...each, shape: [...each.shape, 1] },
  );
  return { ...examples, targets: rows as unknown as Examples['targets'] };
}

type Fault = readonly [expected: string, found: string];
type Loose = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Loose => typeof value === 'object' && value !== null;

/** What is wrong with examples that somebody's code made. */
function faultOf(made: unknown, count: number): Fault | undefined {
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

function arrayFault(array: unknown, name: string, count: number): Fault | undefined {
  const { shape, values }: Loose = isObject(array) ? array : {};
  if (!TYPES.some((type) => values instanceof type))
    return [`${name}.values as one of ${TYPES.map((type) => type.name).join(', ')}`, typeName(values)];
  if (!Array.isArray(shape) || !shape.every((extent) => Number.isSafeInteger(extent) && extent > 0))
    return [`${name}.shape as a list of whole numbers`, JSON.stringify(shape) ?? 'none'];
  const text = `[${shape.join(',')}]`;
  if (shape[0] !== count) return [`${name} of all ${count} examples`, `a shape of ${text}`];
  const numbers = values as ExampleValues;
  if (numbers.length !== sizeOf(shape))
    return [`${sizeOf(shape)} ${name}.values for the shape ${text}`, `${numbers.length}`];
  const odd = numbers.findIndex((value) => !Number.isFinite(value));
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
