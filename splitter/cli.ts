/** `fedbatch split`: deals a dataset to the clients of a federation, one npz each. */
import { Command } from 'commander';
import { integerOption, numberOption } from '../lib/cli/options.js';
import { addPartitionOptions, type PartitionFlags, partitionOf } from '../lib/cli/partition-options.js';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { tellResult } from '../lib/cli/result.js';
import { type GivenScale, namedScale, scaleOption } from '../lib/cli/scale-option.js';
import { UsageError } from '../lib/core/errors.js';
import { DEFAULT_TEST_FRACTION } from '../lib/federation/partition/deal-dataset.js';
import { clientsFollowFromData } from '../lib/federation/partition/settings.js';
import type { SplitSummary } from '../lib/formats/results.js';

interface SplitFlags extends PartitionFlags {
  readonly data: string;
  readonly clients?: number;
  readonly out: string;
  readonly testFraction: number;
  readonly seed: number;
  readonly scale?: GivenScale;
  readonly virtual?: true;
  readonly check?: true;
}

const EXAMPLES = `
Examples:
  npx fedbatch split --data mnist --clients 3 --out data
  npx fedbatch split --data mnist --clients 100 --out data --partition pathological --pieces-per-client 2
  npx fedbatch split --data mnist --clients 10 --out data --partition dirichlet --alpha 0.5 --min-examples 10
  npx fedbatch split --data letters.npz --out data --partition by-key --key writer
  npx fedbatch split --data hospitals/ --out data --partition given`;

/** The command of the splitter. */
export function splitCommand({ reporter, signal }: ProgramContext): Command {
  const command = new Command('split')
    .description('Split a dataset into one shard per client, a test set and a manifest.')
    .requiredOption(
      '--data <npz>',
      'dataset with arrays x_train, y_train, x_test, y_test, or x, y; or one of the names digits, mnist; ' +
        'for --partition given a directory of shards',
    )
    .option(
      '--clients <count>',
      'number of shards, one for each client; with --partition by-key or given it follows from the data',
      integerOption({ min: 1 }),
    )
    .requiredOption(
      '--out <dir>',
      'directory for 0.npz … N-1.npz, test.npz and manifest.json; an earlier split in it is replaced',
    );
  return addPartitionOptions(command)
    .option(
      '--test-fraction <share>',
      'share of the examples held out for testing where the dataset brings no test examples',
      numberOption({ min: 0.001, max: 0.9 }),
      DEFAULT_TEST_FRACTION,
    )
    .addOption(scaleOption())
    .option('--seed <number>', 'seed of the partition and of the held-out examples', integerOption(), 0)
    .option(
      '--virtual',
      'for simulations of many clients: all training examples in train.npz, who has which in partition.npz',
    )
    .option('--check', 'judge the data and the partition; write nothing')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: SplitFlags) => {
      const startedAt = performance.now();
      const { out: savedir, clients, testFraction, seed, virtual = false } = flags;
      const partition = partitionOf(flags);
      if (clients === undefined && !clientsFollowFromData(partition)) {
        throw new UsageError(
          `required option '--clients <count>' not specified (--partition ${partition.scheme} needs it).`,
        );
      }
      // Zip, npy and schema code is loaded only when there is work, so that --help comes at once.
      const { checkSplit, split } = await import('./split.js');
      const { clientsOf } = await import('../lib/formats/manifest.js');
      const { resolveDataset } = await import('../datasets/resolve.js');
      const data = await resolveDataset(flags.data, { reporter, signal });
      const options = {
        data,
        savedir,
        clients,
        partition,
        testFraction,
        seed,
        virtual,
        ...namedScale(flags.scale),
      };
      if (flags.check) return tellResult(await checkSplit({ ...options, reporter, signal }));
      const { manifest, skipped } = await split({ ...options, reporter, signal });
      const seconds = Math.round(performance.now() - startedAt) / 1000;
      const { test } = manifest;
      const shards = clientsOf(manifest);
      const examples = shards.reduce((sum, shard) => sum + shard.examples, 0);
      reporter.info(
        skipped
          ? `Nothing to do: ${savedir} holds this split already, and its checksums hold.`
          : `Split ${examples} examples into ${shards.length} shards and ${test.examples} for the test in ${seconds} s.`,
      );
      const result: SplitSummary = {
        shards: shards.length,
        examples,
        test: test.examples,
        seconds,
        savedir,
        skipped,
      };
      tellResult(result);
    });
}

if (isMain(import.meta.url)) await runProgram(splitCommand, process.argv.slice(2));
