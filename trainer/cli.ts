/** `fedbatch train`: arguments of the trainer. */
import { Command, Option } from 'commander';
import { clientList, hashOption, integerOption, threadsOption } from '../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { tellResult } from '../lib/cli/result.js';
import { UsageError } from '../lib/core/errors.js';
import { MAX_CLASSES } from '../lib/federation/examples.js';
import type { StrategyName } from '../lib/federation/strategies/strategy-settings.js';
import { measured } from '../lib/prometheus/watched-stage.js';
import { addSettings, askedByFlags } from '../lib/settings/options.js';
import { WATCHING } from '../lib/settings/parts/watching.js';
import { byFlag } from '../lib/settings/setting.js';
import { callTrainer, TRAIN_PARTS, type TrainAsked } from './call.js';

interface TrainFlags extends Omit<TrainAsked, 'asked' | 'strategy'> {
  readonly strategy?: string;
}

const SETTINGS = { parts: [...TRAIN_PARTS, WATCHING], stage: 'train' } as const;

/** Trains one client on its shard and writes its update; the last line of stdout is the result as JSON. */
export function trainCli(context: ProgramContext): Command {
  const command = new Command('train')
    .description('Train one client on its shard, starting from the global model, and save its update.')
    .requiredOption(
      '--data <npz>',
      "the client's shard: arrays x (inputs) and y (targets), or a dataset with x_train and y_train",
    )
    .requiredOption('--out <h5>', 'where the update goes, as a Keras model file')
    .option(
      '--init <h5>',
      'the global model to start from (default: the seeded initial --model); a compiled model brings its optimizer',
    )
    .addOption(
      hashOption('--init-sha256 <hash>', 'what the file of --init has to be: another one is refused'),
    )
    .option(
      '--client-test <npz>',
      'what the client holds out: the model is tested on it before and after the training',
    )
    .option(
      '--classes <n>',
      'classes of --model (default: from manifest.json beside the shard, else from its labels)',
      integerOption({ min: 2, max: MAX_CLASSES }),
    );
  return addSettings(command, SETTINGS)
    .option(
      '--task <file>',
      'model, loss and preprocessing from this module; a shard that it has prepared stays',
    )
    .option(
      '--client <k>',
      'number of the client (default: that of the shard, 3 for 3.npz, else 0)',
      integerOption(),
    )
    .addOption(
      new Option(
        '--clients <list>',
        'the clients of the round, e.g. 3,7,12 or 0-99; --client-index says which of them this is (default: all)',
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
    .option(
      '--strategy <name>',
      'the strategy of the round, where its clients do more than training: fednova, scaffold',
    )
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
    .action(async ({ strategy, ...flags }: TrainFlags) => {
      const asked = askedByFlags(command, SETTINGS);
      const named = byFlag({ parts: TRAIN_PARTS });
      const request = {
        ...{ ...flags, asked },
        strategy: strategy === undefined ? undefined : await strategyAsked(strategy),
      };
      const result = await measured('train', { ...asked, ...context }, (reporter) =>
        callTrainer(request, {
          ...{ ...context, reporter },
          named: (place) => (place === 'strategy.name' ? '--strategy' : named(place)),
        }),
      );
      context.reporter.close();
      tellResult(result, ['epochs']);
    });
}

/** The strategy that `--strategy` names: those without one load none. @throws {UsageError} when there is none */
async function strategyAsked(name: string): Promise<StrategyName> {
  const { strategies } = await import('../lib/federation/strategies/strategy-settings.js');
  const found = strategies.find((each) => each.name === name);
  if (found !== undefined) return found.name;
  throw new UsageError(
    `--strategy: expected one of ${strategies.map((each) => each.name).join(', ')}, found "${name}".`,
  );
}

if (isMain(import.meta.url)) await runProgram(trainCli, process.argv.slice(2));
