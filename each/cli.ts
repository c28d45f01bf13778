/** `fedbatch as-client`: arguments of a command that runs as one client. */
import { Command, Option } from 'commander';
import { integerOption, numberOption } from '../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { tellResult } from '../lib/cli/result.js';
import { UsageError } from '../lib/core/errors.js';
import { MAX_TIMER_SECONDS } from '../lib/core/timers.js';

interface AsClientFlags {
  readonly command?: readonly string[];
  readonly client?: number;
  readonly clientIndex?: number;
  readonly size: number;
  readonly shard?: string;
  readonly timeout?: number;
}

/** Runs a command as one client; the last line of stdout is its result as JSON. */
export function asClientCli(context: ProgramContext): Command {
  return new Command('as-client')
    .description('Run a command of your own as one client: what npx fedbatch each does for each of them.')
    .argument('[command...]', 'the program and its arguments, behind --')
    .option('--command <json>', 'the same as a list in JSON, e.g. ["python3","count.py"]', wordsOf)
    .option('--client <k>', 'number of the client, from 0: its rank', integerOption())
    .addOption(
      new Option('--client-index <i>', 'the same, where an Indexed Job says it')
        .env('JOB_COMPLETION_INDEX')
        .argParser(integerOption()),
    )
    .requiredOption('--size <n>', 'clients in all', integerOption({ min: 1 }))
    .option('--shard <npz>', "the client's shard; {client} in it is the number of the client")
    .option(
      '--timeout <seconds>',
      'end the command when it is not done by then',
      numberOption({ above: 0, max: MAX_TIMER_SECONDS }),
    )
    .addHelpText(
      'after',
      `
The command finds what is the client's in its environment, and in its words:
  FEDBATCH_RANK     {rank}      number of the client, from 0
  FEDBATCH_SIZE     {size}      clients in all
  FEDBATCH_SHARD    {shard}     path of its shard (npz)
  FEDBATCH_SCRATCH  {scratch}   a directory of its own, which is removed afterwards
  FEDBATCH_RESULT   {result}    where it may write its result as JSON; else that is what it prints

Example:
  npx fedbatch as-client --client 0 --size 3 --shard data/0.npz -- python3 count.py {shard}`,
    )
    .action(async (words: readonly string[], { command = words, ...flags }: AsClientFlags) => {
      const { client = flags.clientIndex, size, shard, timeout: timeoutSeconds } = flags;
      if (command.length === 0) throw new UsageError('Expected a command behind --, found none.');
      if (client === undefined) throw new UsageError('Expected --client or --client-index, found neither.');
      if (client >= size)
        throw new UsageError(`--client: expected less than --size ${size}, found ${client}.`);
      const { runAsClient } = await import('./as-client.js');
      const own = shard?.replaceAll('{client}', `${client}`);
      tellResult(await runAsClient({ command, client, size, shard: own, timeoutSeconds }, context));
    });
}

/** @throws {UsageError} for what is no list of words */
function wordsOf(text: string): readonly string[] {
  try {
    const words: unknown = JSON.parse(text);
    if (Array.isArray(words) && words.every((word) => typeof word === 'string')) return words;
  } catch {
    // Said below.
  }
  throw new UsageError(`--command: expected words as JSON, e.g. ["python3","count.py"], found ${text}.`);
}

if (isMain(import.meta.url)) await runProgram(asClientCli, process.argv.slice(2));
