/** `fedbatch train`: arguments of the trainer. */
import { Command, Option } from 'commander';
import { clientList, integerOption, threadsOption } from '../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { tellResult } from '../lib/cli/result.js';
import { MAX_CLASSES } from '../lib/federation/examples.js';
import { clientSide, strategies } from '../lib/federation/strategies/strategy-settings.js';
import { addSettings, askedByFlags, settingOption } from '../lib/settings/options.js';
import { STRATEGY, STRATEGY_NAME } from '../lib/settings/parts/strategy.js';
import { byFlag, settingOf } from '../lib/settings/setting.js';
import { callTrainer, TRAIN_PARTS, type TrainAsked } from './call.js';

type TrainFlags = Omit<TrainAsked, 'asked'>;

const SETTINGS = { parts: TRAIN_PARTS, stage: 'train' } as const;

/** Trains one client on its shard and writes its update; the last line of stdout is the result as JSON. */
export function trainCli(context: ProgramContext): Command {
  const command = new Command('train')
    .description('Train one client on its shard, starting from the global model, and save its update.')
    .requiredOption(
      '--data <npz>',
      "the client's shard: arrays x (images) and y (labels), or a dataset with x_train and y_train",
    )
    .requiredOption('--out <h5>', 'where the update goes, as a Keras model file')
    .option(
      '--init <h5>',
      'the global model to start from (default: the seeded initial --model); a compiled model brings its optimizer',
    )
    .option(
      '--classes <n>',
      'classes of --model (default: from manifest.json beside the shard, else from its labels)',
      integerOption({ min: 2, max: MAX_CLASSES }),
    );
  return addSettings(command, SETTINGS)
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
        'position of the client in --clients, from 0, for paths with {client}; an Indexed Job sets it',
      )
        .env('JOB_COMPLETION_INDEX')
        .argParser(integerOption()),
    )
    .option('--round <r>', 'number of the round', integerOption({ min: 1 }), 1)
    .addOption(strategyOption())
    .option('--volume <dir>', "the run's volume, for a strategy whose clients keep state between rounds")
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
    .action(async (flags: TrainFlags) => {
      const result = await callTrainer(
        { ...flags, asked: askedByFlags(command, SETTINGS) },
        { ...context, named: byFlag({ parts: [...TRAIN_PARTS, STRATEGY] }) },
      );
      context.reporter.close();
      tellResult(result);
    });
}

/** `--strategy`: what it asks of clients beside training. */
function strategyOption(): Option {
  const names = strategies.flatMap(({ name }) => (clientSide(name) === undefined ? [] : [name]));
  const help = `the strategy of the round, if its clients do more than training: ${names.join(', ')}`;
  return settingOption(settingOf(STRATEGY, STRATEGY_NAME), { help });
}

if (isMain(import.meta.url)) await runProgram(trainCli, process.argv.slice(2));
