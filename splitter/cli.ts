/** `fedbatch split`: deals a dataset to the clients of a federation, one npz each. */
import { Command } from 'commander';
import { numberOption } from '../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { tellResult } from '../lib/cli/result.js';
import { UsageError } from '../lib/core/errors.js';
import { DEFAULT_TEST_FRACTION } from '../lib/federation/partition/deal-dataset.js';
import { clientsFollowFromData } from '../lib/federation/partition/settings.js';
import { namedScale } from '../lib/federation/pixel-scale.js';
import type { SplitSummary } from '../lib/formats/results.js';
import { completeSettings } from '../lib/settings/complete.js';
import { addSettings, askedByFlags } from '../lib/settings/options.js';
import { DATASET, SEED } from '../lib/settings/parts/data.js';
import { CLIENTS, SIMULATION } from '../lib/settings/parts/federation.js';
import { PARTITION } from '../lib/settings/parts/partition.js';

interface SplitFlags {
  readonly out: string;
  readonly testFraction: number;
  readonly check?: true;
}

const SETTINGS = {
  parts: [SEED, DATASET, CLIENTS, PARTITION, SIMULATION],
  stage: 'split',
  required: ['dataset.name'],
} as const;

const EXAMPLES = `
Examples:
  npx fedbatch split --data mnist --clients 3 --out data
  npx fedbatch split --data mnist --clients 100 --out data --partition pathological --pieces-per-client 2
  npx fedbatch split --data mnist --clients 10 --out data --partition dirichlet --alpha 0.5 --min-examples 10
  npx fedbatch split --data letters.npz --out data --partition by-key --key writer
  npx fedbatch split --data hospitals/ --out data --partition given`;

/** The command of the splitter. */
export function splitCli({ reporter, signal }: ProgramContext): Command {
  const command = new Command('split')
    .description('Split a dataset into one shard per client, a test set and a manifest.')
    .requiredOption(
      '--out <dir>',
      'directory for 0.npz … N-1.npz, test.npz and manifest.json; an earlier split in it is replaced',
    );
  return addSettings(command, SETTINGS)
    .option(
      '--test-fraction <share>',
      'share of the examples held out for testing where the dataset brings no test examples',
      numberOption({ min: 0.001, max: 0.9 }),
      DEFAULT_TEST_FRACTION,
    )
    .option('--check', 'judge the data and the partition; write nothing')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: SplitFlags) => {
      const startedAt = performance.now();
      const { out: savedir, testFraction } = flags;
      const asked = askedByFlags(command, SETTINGS);
      const { seed, dataset, federation } = completeSettings(SETTINGS.parts, asked);
      const { partition, simulate: virtual = false } = federation;
      const isGiven = asked.given['federation.clients'] !== undefined;
      const clients = isGiven ? federation.clients : undefined;
      if (clients === undefined && !clientsFollowFromData(partition)) {
        throw new UsageError(
          `required option '--clients <count>' not specified (--partition ${partition.scheme} needs it).`,
        );
      }
      // Zip, npy and schema code is loaded only when there is work, so that --help comes at once.
      const { checkSplit, split } = await import('./split.js');
      const { clientsOf } = await import('../lib/formats/manifest.js');
      const { resolveDataset } = await import('../datasets/resolve.js');
      const data = await resolveDataset(dataset.name, { reporter, signal });
      const options = {
        data,
        savedir,
        clients,
        partition,
        testFraction,
        seed,
        virtual,
        ...namedScale(dataset.scale),
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

if (isMain(import.meta.url)) await runProgram(splitCli, process.argv.slice(2));
