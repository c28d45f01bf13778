/** `fedbatch watch`: runs as they go, as a page that updates itself. */
import { Command } from 'commander';
import { integerOption } from '../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { RUN_ARGUMENT, RUNS } from '../lib/formats/volume.js';

/** The command. */
export function watchCli(context: ProgramContext): Command {
  return new Command('watch')
    .description(
      'Show runs as they go on a page of this machine: charts, clients, states. It updates itself.',
    )
    .argument('[run]', `a folder of runs, or ${RUN_ARGUMENT}`, RUNS)
    .option(
      '--port <number>',
      'the port to listen on; 0 picks a free one',
      integerOption({ max: 65_535 }),
      5050,
    )
    .addHelpText(
      'after',
      `
Examples:
  npx fedbatch watch
  npx fedbatch watch latest
  npx fedbatch watch runs/digits-3x2-1a2b3c4d --port 8080

It listens on 127.0.0.1 alone. For others, and on a network: npx fedbatch serve --runs (docs/OBSERVING.md).`,
    )
    .action(async (place: string, { port }: { readonly port: number }) => {
      const { watchRuns } = await import('./watch.js');
      await watchRuns({ place, port }, context);
    });
}

if (isMain(import.meta.url)) await runProgram(watchCli, process.argv.slice(2));
