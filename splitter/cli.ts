/** `fedbatch split`: deals a dataset to the clients of a federation, one npz each. */
import { Command } from 'commander';
import { numberOption } from '../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { tellResult } from '../lib/cli/result.js';
import { DEFAULT_TEST_FRACTION } from '../lib/federation/partition/settings.js';
import { addSettings, askedByFlags } from '../lib/settings/options.js';
import { callSplitter, SPLIT_PARTS, splitOptions } from './call.js';

interface SplitFlags {
  readonly out: string;
  readonly testFraction: number;
  readonly check?: true;
}

const SETTINGS = {
  parts: SPLIT_PARTS,
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
    .action(async ({ out, testFraction, check }: SplitFlags) => {
      const request = { asked: askedByFlags(command, SETTINGS), out, testFraction };
      const context = { reporter, signal };
      if (check === undefined) return tellResult(await callSplitter(request, context));
      const { checkSplit } = await import('./split.js');
      tellResult(await checkSplit(await splitOptions(request, context)));
    });
}

if (isMain(import.meta.url)) await runProgram(splitCli, process.argv.slice(2));
