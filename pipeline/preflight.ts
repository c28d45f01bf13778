/** What is refused before anything is written: data, a split that they do not allow, an engine that does not work here. */
import { own } from '../lib/core/own.js';
import type { ExampleRows } from '../lib/federation/example-rows.js';
import { imageShape, isImageForm } from '../lib/federation/examples.js';
import { dealDataset } from '../lib/federation/partition/partition.js';
import { DEFAULT_TEST_FRACTION } from '../lib/federation/partition/settings.js';
import { requireChannels, scaleOf } from '../lib/federation/pixel-scale.js';
import { dealtOf, type OwnedDataset, openSource } from '../lib/formats/data/dataset-source.js';
import { lossAsked } from '../lib/settings/parts/training.js';
import { type RunSettings, settingArguments } from '../lib/settings/table.js';
import { preparedDataset, wantedTargets } from '../lib/task-file/prepared-examples.js';
import { readTask } from '../lib/task-file/read-task.js';
import type { StageContext } from './rounds/target.js';
import { runStage } from './stage-process.js';

/**
 * Reads the dataset and deals its examples as the splitter will.
 *
 * @throws {UsageError} when dataset, number of clients and partition do not go together, with the numbers
 * @throws {DataError} when the dataset is not what it should be
 */
export async function requirePossibleSplit({
  dataset,
  federation: { clients, partition, clientHoldout },
  seed,
  training,
  model = {},
}: Pick<RunSettings, 'dataset' | 'federation' | 'seed' | 'training'> &
  Partial<Pick<RunSettings, 'model'>>): Promise<void> {
  const known = namedLabels(dataset.name);
  const task = model.task === undefined ? undefined : await readTask(model.task);
  // What becomes of data that may not be here yet, the splitter will see.
  if (known !== undefined && task?.prepare !== undefined) return;
  const targets = wantedTargets({ task, loss: lossAsked(training) ?? task?.loss });
  const load = async () => {
    const source = await openSource(dataset.name, partition, { targets });
    // How examples are dealt depends on their inputs only where a task makes other targets of them.
    const leavesInputs = task?.prepare === undefined;
    const loaded = await preparedDataset(task, await source.load({ leavesInputs }));
    return factsOf(loaded, { data: dataset.name, clientHoldout });
  };
  const { dealt, channels, bringsTest, ownership } =
    known === undefined ? await load() : { dealt: known, channels: 1, bringsTest: true };
  const testFraction = bringsTest ? undefined : DEFAULT_TEST_FRACTION;
  if (dataset.scale !== undefined) requireChannels(scaleOf(dataset.scale), channels, dataset.name);
  dealDataset(dealt, { ...partition, clients, seed, ownership, testFraction });
}

const factsOf = (dataset: OwnedDataset, options: Parameters<typeof dealtOf>[1]) => ({
  dealt: dealtOf(dataset, options),
  channels: channelsOf(dataset.train),
  bringsTest: dataset.test !== undefined,
  ownership: dataset.ownership,
});

function channelsOf({ inputs: [input, ...others] }: ExampleRows): number | undefined {
  return others.length === 0 && isImageForm(input) ? imageShape(input)[2] : undefined;
}

/** Training examples of each label, label 0 first. All bring test examples. */
const TRAINING_LABELS: Readonly<Record<string, readonly number[]>> = {
  digits: [600, 600, 600, 600, 600, 600, 600, 600, 600, 600],
  mnist: [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
};

/** The labels of a named dataset's training examples, in an order of their own; undefined where the name is a path. */
export function namedLabels(name: string): Int32Array | undefined {
  const counts = own(TRAINING_LABELS, name);
  return counts && Int32Array.from(counts.flatMap((count, label) => Array<number>(count).fill(label)));
}

/**
 * Asks the doctor about a choice that leaves no way out; `auto` always finds something, and costs nothing here.
 *
 * @throws {StageError} with the doctor's sentence and exit code 2
 */
export async function requireEngine(engine: RunSettings['engine'], context: StageContext): Promise<void> {
  if (engine.name === 'auto' && engine.backend === undefined) return;
  const program = 'doctor/cli.js';
  await runStage(
    { stage: 'doctor', program, arguments: ['--quick', '--json', ...settingArguments('doctor', { engine })] },
    context,
  );
}
