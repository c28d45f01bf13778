/** `fedbatch split`: deals a dataset to the clients of a federation, one npz each. */
import { Command, Option } from 'commander';
import { isMain } from '../lib/cli/is-main.js';
import { integerOption, numberOption } from '../lib/cli/options.js';
import { type ProgramContext, runProgram } from '../lib/cli/program.js';
import { type PartitionSchemeName, partitionSchemeNames } from '../lib/federation/partition.js';

interface SplitFlags {
  readonly data: string;
  readonly nContainer: number;
  readonly savedir: string;
  readonly partition: PartitionSchemeName;
  readonly testFraction: number;
  readonly seed: number;
  readonly virtual?: true;
}

/** The command of the splitter. */
export function splitCommand({ reporter, signal }: ProgramContext): Command {
  return new Command('split')
    .description('Split a dataset into one shard per client, a test set and a manifest.')
    .requiredOption(
      '--data <npz>',
      'dataset with arrays x_train, y_train, x_test, y_test, or x, y; or one of the names digits, mnist',
    )
    .requiredOption(
      '--n-container <count>',
      'number of shards, one for each client',
      integerOption({ min: 1 }),
    )
    .requiredOption(
      '--savedir <dir>',
      'directory for 0.npz … N-1.npz, test.npz and manifest.json; an earlier split in it is replaced',
    )
    .addOption(
      new Option('--partition <scheme>', 'iid: shuffled and dealt; strided: every N-th example in file order')
        .choices(partitionSchemeNames)
        .default('iid'),
    )
    .option(
      '--test-fraction <share>',
      'share of the examples held out for testing where the dataset has only x and y',
      numberOption({ min: 0.001, max: 0.9 }),
      0.1,
    )
    .option('--seed <number>', 'seed of the shuffle and of the held-out examples', integerOption(), 0)
    .option(
      '--virtual',
      'for simulations of many clients: all training examples in train.npz, who has which in partition.npz',
    )
    .addHelpText('after', '\nExample:\n  fedbatch split --data mnist.npz --n-container 3 --savedir data')
    .action(async (flags: SplitFlags) => {
      const startedAt = performance.now();
      // Zip, npy and schema code is loaded only when there is work, so that --help comes at once.
      const { split } = await import('./split.js');
      const { clientsOf } = await import('../lib/formats/manifest.js');
      const { resolveDataset } = await import('../datasets/resolve.js');
      const data = await resolveDataset(flags.data, { reporter, signal });
      const { savedir, nContainer: clients, partition: scheme, testFraction, seed, virtual = false } = flags;
      const { manifest, skipped } = await split({
        data,
        savedir,
        clients,
        scheme,
        testFraction,
        seed,
        virtual,
        reporter,
        signal,
      });
      const seconds = Math.round(performance.now() - startedAt) / 1000;
      const { test } = manifest;
      const shards = clientsOf(manifest);
      const examples = shards.reduce((sum, shard) => sum + shard.examples, 0);
      reporter.info(
        skipped
          ? `Nothing to do: ${savedir} holds this split already, and its checksums hold.`
          : `Split ${examples} examples into ${shards.length} shards and ${test.examples} for the test in ${seconds} s.`,
      );
      const result = { shards: shards.length, examples, test: test.examples, seconds, savedir, skipped };
      process.stdout.write(`${JSON.stringify(result)}\n`);
    });
}

if (isMain(import.meta.url)) await runProgram(splitCommand, process.argv.slice(2));
