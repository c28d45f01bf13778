/** `fedbatch status` and `fedbatch logs`: how a run stands and what it has told, from the files of its volume alone. */
import { Command } from 'commander';
import { integerOption } from '../../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../../lib/cli/program.js';
import { say } from '../../lib/cli/result.js';
import { LATEST, RUN_ARGUMENT, RUNS } from '../../lib/formats/volume.js';

interface StatusFlags {
  readonly in?: string;
  readonly json?: boolean;
}

interface LogsFlags extends StatusFlags {
  readonly lines?: number;
  readonly follow?: boolean;
}

/** The command that tells how a run stands. */
export function runStatusCli({ reporter }: ProgramContext): Command {
  return ofRun(new Command('status'))
    .description(
      'Tell how a run stands: what works, how far it is, the best result so far, or why it is over. From the files of its ' +
        'volume alone, so also from another terminal, machine or pod.',
    )
    .option('--json', 'print one JSON line')
    .addHelpText('after', '\nExamples:\n  npx fedbatch status\n  npx fedbatch status digits-3x2 --json')
    .action(async (run: string, { json, in: folder }: StatusFlags) => {
      const warn = (message: string) => reporter.warn(message);
      const { findVolume } = await import('../../lib/formats/runs/find-run.js');
      const { readRunStatus } = await import('../../lib/formats/runs/run-status.js');
      const status = await readRunStatus(await findVolume(run, { folder, warn }));
      for (const note of status.notes) warn(note);
      if (json) {
        process.stdout.write(`${JSON.stringify(status)}\n`);
        return;
      }
      const { statusText } = await import('./status-text.js');
      say(statusText(status));
    });
}

/** The command that tells what a run has told. */
export function runLogsCli({ reporter, signal }: ProgramContext): Command {
  return ofRun(new Command('logs'))
    .description(
      "Print the events of a run, a line each: the run's metrics.jsonl, for people. Also from another terminal, machine or pod.",
    )
    .option('--lines <count>', 'the last events alone', integerOption({ min: 0 }))
    .option('--follow', 'print new events until the run is over, or Ctrl-C')
    .option('--json', 'print the lines as they are')
    .addHelpText(
      'after',
      '\nExamples:\n  npx fedbatch logs --follow\n  npx fedbatch logs baseline --lines 20 --json',
    )
    .action(async (run: string, { json = false, in: folder, lines, follow = false }: LogsFlags) => {
      const warn = (message: string) => reporter.warn(message);
      const { findVolume } = await import('../../lib/formats/runs/find-run.js');
      const { printEvents } = await import('./print-events.js');
      const volume = await findVolume(run, { folder, warn });
      const print = json ? (line: string) => void process.stdout.write(`${line}\n`) : say;
      await printEvents(volume, { json, lines, follow, print, warn, signal });
    });
}

function ofRun(command: Command): Command {
  return command
    .argument('[run]', RUN_ARGUMENT, LATEST)
    .option('--in <folder>', `folder in which names and ids are looked for (default: ${RUNS})`);
}

if (isMain(import.meta.url)) await runProgram(runStatusCli, process.argv.slice(2));
