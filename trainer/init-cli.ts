/** `fedbatch init`: writes the initial global model that all clients of round 1 start from. */
import { Command } from 'commander';
import { integerOption } from '../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { tellResult } from '../lib/cli/result.js';
import { parameterCount } from '../lib/core/weights.js';
import { startingOptimizer } from '../lib/engine/starting-optimizer.js';
import { startingTask, taskNotes } from '../lib/engine/starting-task.js';
import { MAX_CLASSES } from '../lib/federation/examples.js';
import { writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { manifestBeside } from '../lib/formats/manifest-facts.js';
import type { InitResult } from '../lib/formats/stage-results.js';
import type { Model } from '../lib/model/model-description.js';
import { DATA_NOTE } from '../lib/observability/events.js';
import { completeSettings } from '../lib/settings/complete.js';
import { addSettings, askedByFlags } from '../lib/settings/options.js';
import { MODEL, modelFile, modelTitle, SEED } from '../lib/settings/parts/data.js';
import { lossAsked, optimizerAsked, TRAINING } from '../lib/settings/parts/training.js';
import { readPrepared } from '../lib/task-file/prepared-examples.js';
import { judgingTask, readTask, withTask } from '../lib/task-file/read-task.js';
import { makeInitialModel } from './initial-model.js';

interface InitFlags {
  readonly data: string;
  readonly out: string;
  readonly classes?: number;
}

const SETTINGS = { parts: [SEED, MODEL, TRAINING], stage: 'init', hasTitles: false } as const;

/** Writes the initial model for the shape and classes of a shard. */
export function initCli({ reporter }: ProgramContext): Command {
  const command = new Command('init')
    .description('Write the initial model that all clients start from: a seeded one, or the one of --init.')
    .requiredOption('--data <npz>', 'a shard or a dataset, for the shape of inputs and the kind of targets')
    .requiredOption('--out <h5>', 'where the model goes, as a Keras model file')
    .option(
      '--classes <n>',
      'number of classes (default: from manifest.json beside the shard, else from its labels)',
      integerOption({ min: 2, max: MAX_CLASSES }),
    );
  return addSettings(command, SETTINGS)
    .addHelpText(
      'after',
      `
Example:
  npx fedbatch init --data data/0.npz --out rounds/0001/global.h5 --seed 7
  npx fedbatch init --data data/0.npz --out rounds/0001/global.h5 --init model.h5
  npx fedbatch init --data data/0.npz --out rounds/0001/global.h5 --task ./task.ts`,
    )
    .action(async ({ data, out, classes }: InitFlags) => {
      const asked = askedByFlags(command, SETTINGS);
      const { seed, model: wanted, training } = completeSettings(SETTINGS.parts, asked);
      const tell = (note: string) => reporter.info(note, DATA_NOTE);
      const task = wanted.task === undefined ? undefined : await readTask(wanted.task);
      const { loss, optimizer } = withTask(
        { loss: lossAsked(training), optimizer: optimizerAsked(asked) },
        task,
      );
      const read = await readPrepared(data, { task, loss }, { part: 'train', tell });
      const { examples, isPreparedHere } = read;
      const manifest = isPreparedHere ? undefined : await manifestBeside(data);
      const choice = { model: wanted, task, seed, classes, manifest, loss, optimizer };
      const source = modelFile(wanted);
      const { file, model, found } = await judgingTask(task, data, async () => {
        const made = await makeInitialModel(examples, data, choice);
        const start = { ...made, path: source ?? out };
        return { ...made, found: startingTask(start, { examples, data, asked: loss }).task };
      });
      for (const note of taskNotes(found)) tell(note);
      if (source === undefined) for (const note of scalingNotes(model)) tell(note);
      if (source !== undefined) {
        // What trainers could not do is told before they start.
        const { notes } = startingOptimizer(optimizer, { file, path: source });
        for (const note of notes) tell(note);
      }
      const sha256 = await writeKerasFile(out, file);
      const result: InitResult = {
        model: modelTitle(wanted),
        parameters: parameterCount(model.weights),
        sha256,
      };
      tellResult(result);
    });
}

/** What is said of a new model that begins with a Normalization. */
function scalingNotes({ description }: Model): readonly string[] {
  const isInverted = (wanted: boolean) =>
    description.layers.flatMap((layer) =>
      layer.kind === 'featureNormalization' && layer.invert === wanted ? (layer.mean ?? []) : [],
    );
  const [scaled, answers] = [isInverted(false), isInverted(true)];
  if (scaled.length + answers.length === 0) return [];
  const begins =
    scaled.length === 0
      ? []
      : [`begins with a Normalization of ${scaled.length} numbers by their mean and deviation`];
  const ends = answers.length === 0 ? [] : ['ends with one of the targets, inverted'];
  return [
    `the model ${[...begins, ...ends].join(', and ')}, over all clients, since a table's columns may be of any size ` +
      '(--normalize off leaves it out)',
  ];
}

if (isMain(import.meta.url)) await runProgram(initCli, process.argv.slice(2));
