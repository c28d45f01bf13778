/** `fedbatch init`: writes the seeded initial global model that all clients of round 1 start from. */
import { Command } from 'commander';
import { integerOption } from '../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { tellResult } from '../lib/cli/result.js';
import { parameterCount } from '../lib/core/weights.js';
import { MAX_CLASSES } from '../lib/federation/examples.js';
import { readShard } from '../lib/formats/data/dataset.js';
import { writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import type { InitResult } from '../lib/formats/results.js';
import { DATA_NOTE } from '../lib/observability/events.js';
import { completeSettings } from '../lib/settings/complete.js';
import { addSettings, askedByFlags } from '../lib/settings/options.js';
import { MODEL, SEED } from '../lib/settings/parts/data.js';
import { makeInitialModel } from './initial-model.js';

interface InitFlags {
  readonly data: string;
  readonly out: string;
  readonly classes?: number;
}

const SETTINGS = { parts: [SEED, MODEL], stage: 'init', hasTitles: false } as const;

/** Writes the initial model for the shape and classes of a shard. */
export function initCli({ reporter }: ProgramContext): Command {
  const command = new Command('init')
    .description('Write the seeded initial model that all clients start from.')
    .requiredOption('--data <npz>', 'a shard or a dataset, for image shape and classes')
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
  npx fedbatch init --data data/0.npz --out rounds/0001/global.h5 --seed 7`,
    )
    .action(async ({ data, out, classes }: InitFlags) => {
      const { seed, model: named } = completeSettings(SETTINGS.parts, askedByFlags(command, SETTINGS));
      const tell = (note: string) => reporter.info(note, DATA_NOTE);
      const examples = await readShard(data, { part: 'train', tell });
      const { file, model } = await makeInitialModel(examples, data, {
        model: named.name,
        seed,
        ...(classes === undefined ? {} : { classes }),
      });
      const sha256 = await writeKerasFile(out, file);
      const result: InitResult = {
        model: named.name,
        parameters: parameterCount(model.weights),
        sha256,
      };
      tellResult(result);
    });
}

if (isMain(import.meta.url)) await runProgram(initCli, process.argv.slice(2));
