/** `fedbatch train`: arguments of the trainer. */
import { Command, Option } from 'commander';
import {
  backendOption,
  choiceOf,
  type EngineFlags,
  engineOption,
  threadsOption,
} from '../lib/cli/engine-options.js';
import { clientList, integerOption } from '../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { tellResult } from '../lib/cli/result.js';
import { clientStrategyOption } from '../lib/cli/strategy-options.js';
import {
  addTrainingOptions,
  localWorkOf,
  modelOption,
  type TrainingFlags,
} from '../lib/cli/training-options.js';
import { MAX_CLASSES } from '../lib/federation/examples.js';
import type { StrategyName } from '../lib/federation/strategies/strategy-settings.js';
import type { ModelName } from '../lib/model/model-zoo.js';
import type { OptimizerFlags } from './starting-optimizer.js';
import { chooseClient } from './which-client.js';

interface TrainFlags extends EngineFlags, TrainingFlags {
  readonly data: string;
  readonly out: string;
  readonly init?: string;
  readonly model: ModelName;
  readonly classes?: number;
  readonly seed: number;
  readonly client?: number;
  readonly clients?: readonly number[];
  readonly clientIndex?: number;
  readonly round: number;
  readonly threads: number;
  readonly strategy?: StrategyName;
  readonly volume?: string;
}

/** Trains one client on its shard and writes its update; the last line of stdout is the result as JSON. */
export function trainCommand(context: ProgramContext): Command {
  const command = new Command('train')
    .description('Train one client on its shard, starting from the global model, and save its update.')
    .requiredOption(
      '--data <npz>',
      "the client's shard: arrays x (images) and y (labels), or a dataset with x_train and y_train",
    )
    .requiredOption('--out <h5>', 'where the update goes, as a Keras model file')
    .option(
      '--init <h5>',
      'the global model to start from (default: the seeded initial --model); a compiled one brings its optimizer',
    )
    .addOption(modelOption('the model, where there is no --init'))
    .option(
      '--classes <n>',
      'classes of --model (default: from manifest.json beside the shard, else from its labels)',
      integerOption({ min: 2, max: MAX_CLASSES }),
    );
  return addTrainingOptions(command)
    .option('--seed <n>', 'seeds initial weights, shuffling and dropout', integerOption(), 0)
    .option(
      '--client <k>',
      'number of the client (default: that of the shard, 3 for 3.npz, else 0)',
      integerOption(),
    )
    .addOption(
      new Option(
        '--clients <list>',
        'the clients of the round, e.g. 3,7,12; --client-index says which of them this is (default: all)',
      )
        .env('FEDBATCH_CLIENTS')
        .argParser(clientList),
    )
    .addOption(
      new Option(
        '--client-index <i>',
        'place of the client in --clients, from 0, where a path holds {client}; an Indexed Job tells it',
      )
        .env('JOB_COMPLETION_INDEX')
        .argParser(integerOption()),
    )
    .option('--round <r>', 'number of the round', integerOption({ min: 1 }), 1)
    .addOption(clientStrategyOption())
    .option('--volume <dir>', "the run's volume, for a strategy whose clients go on from earlier rounds")
    .addOption(engineOption())
    .addOption(backendOption())
    .addOption(threadsOption())
    .addHelpText(
      'after',
      `
Examples:
  npx fedbatch train --data data/0.npz --epochs 2 --batch 100 --out model/0-model.h5
  npx fedbatch train --data data/0.npz --init global.h5 --optimizer sgd --learning-rate 0.1 --momentum 0 \\
    --local-steps 1 --batch all --out updates/0.h5            one step of FedSGD
  npx fedbatch train --clients 3,7,12 --client-index 1 --data 'data/{client}.npz' \\
    --out 'updates/{client}.h5'                               client 7, as an Indexed Job picks it`,
    )
    .action(async (flags: TrainFlags, self: Command) => {
      const { epochs: _epochs, localSteps: _steps, batch: batchSize, clients, clientIndex, ...files } = flags;
      const { out, ...request } = chooseClient(files, { client: flags.client, clients, clientIndex });
      const work = localWorkOf(flags);
      const engine = choiceOf(flags);
      // What trains is loaded once the arguments are right: help and refusals are quick.
      const { trainClient } = await import('./train.js');
      const result = await trainClient(
        {
          ...request,
          work,
          batchSize,
          engine,
          optimizer: typedOptimizer(flags, self),
        },
        out,
        context,
      );
      context.reporter.close();
      tellResult(result);
    });
}

/** What was typed of the optimizer: a model may say what was not. */
function typedOptimizer(flags: TrainFlags, command: Command): OptimizerFlags {
  const typed = ([name]: readonly [string, unknown]) =>
    ['optimizer', 'learningRate', 'momentum'].includes(name) &&
    command.getOptionValueSource(name) !== 'default';
  return Object.fromEntries(Object.entries(flags).filter(typed));
}

if (isMain(import.meta.url)) await runProgram(trainCommand, process.argv.slice(2));
