/** `fedbatch each`: a command of the user's own on all clients, on this machine. */
import { Command, Option } from 'commander';
import { integerOption } from '../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { sayResult, wantsJson } from '../lib/cli/result.js';
import type { EachAsked } from './each.js';
import { addEachOptions, type EachFlags, toleranceOf } from './rounds/each-options.js';

interface LocalEachFlags extends EachFlags {
  readonly jobs?: number;
  readonly runners: 'processes' | 'pipe';
}

const EXAMPLES = `
npx fedbatch as-client --help tells what the command finds of the client's.
Its result is the JSON that it writes to FEDBATCH_RESULT, else what it prints.

Examples:
  npx fedbatch each --data data -- python3 count.py {shard}       once for each shard of a split
  npx fedbatch each --clients 4 -- sh -c 'echo $FEDBATCH_RANK'    without data
  npx fedbatch each --data data --quorum 80% --retries 2 --timeout 600 --json -- ./measure`;

/** The command; `elsewhere` says who runs what processes of this machine would. */
export function eachCli(
  { reporter, signal }: ProgramContext,
  elsewhere: Pick<EachAsked, 'stages'> = {},
): Command {
  const command = new Command('each')
    .description('Run a command of your own once as each client, and gather its results in their order.')
    .option('--data <dir>', 'directory of the shards, one for each client, as split writes them')
    .option(
      '--clients <count>',
      'how many clients there are (default: as many as shards)',
      integerOption({ min: 1 }),
    )
    .option(
      '--jobs <count>',
      'commands side by side at most (default: one for each core)',
      integerOption({ min: 1 }),
    )
    .addOption(
      new Option(
        '--runners <who>',
        'who runs the commands: processes here, or with pipe somebody else who reads stdout and answers on stdin (docs/TARGETS.md)',
      )
        .choices(['processes', 'pipe'])
        .default('processes'),
    );
  return addEachOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (words: readonly string[], flags: LocalEachFlags) => {
      const { data, clients, jobs, timeout: timeoutSeconds } = flags;
      // Loaded once the arguments are right: help and refusals are quick.
      const { callEach } = await import('./each.js');
      const { eachSummary } = await import('./rounds/on-clients.js');
      const isPiped = flags.runners === 'pipe';
      const openRunners = isPiped
        ? async () => (await import('./piped/training-pipe.js')).openTrainingPipe(process)
        : undefined;
      const asked = {
        command: words,
        data,
        clients,
        jobs,
        timeoutSeconds,
        openRunners,
        ...toleranceOf(flags),
        ...elsewhere,
      };
      const result = await callEach(asked, { reporter, signal });
      sayResult(result, () => eachSummary(result), wantsJson(flags) || isPiped);
    });
}

if (isMain(import.meta.url)) await runProgram(eachCli, process.argv.slice(2));
