/** What a task makes of examples, once for each: by the split of a run, else by the program that reads them. */
import { DataError, UsageError } from '../core/errors.js';
import {
  type DatasetRows,
  type ExampleRows,
  examplesOfRows,
  rowsOfExamples,
} from '../federation/example-rows.js';
import { type Examples, exampleCount, type TargetKinds } from '../federation/examples.js';
import { type AskedLoss, targetsFor } from '../federation/loss.js';
import { type ExampleReading, readShard, type ShardOptions } from '../formats/data/dataset.js';
import type { Manifest } from '../formats/manifest.js';
import { listedBeside, targetsIn } from '../formats/manifest-facts.js';
import { faultOfMade } from './made-examples.js';
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
  readonly loss: AskedLoss | undefined;
}

/** What the targets in a dataset are to be read as: a task that prepares them may turn anything into what its loss wants. */
export const wantedTargets = ({ task, loss }: Preparation): TargetKinds | undefined =>
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

/** A dataset as the model of a task takes it; what a task prepares is in memory. @throws {UsageError} when `prepare` fails */
export async function preparedDataset<T extends DatasetRows>(
  task: TaskFile | undefined,
  dataset: T,
): Promise<T> {
  if (task?.prepare === undefined) return dataset;
  const { train, test } = dataset;
  const preparedRows = async (rows: ExampleRows) =>
    rowsOfExamples(prepared(task, await examplesOfRows(rows)));
  return {
    ...dataset,
    train: await preparedRows(train),
    ...(test === undefined ? {} : { test: await preparedRows(test) }),
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
  const fault = faultOfMade(made, exampleCount(examples));
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
