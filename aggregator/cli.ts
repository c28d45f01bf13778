/** `fedbatch aggregate`: averages client updates into the next global model. */
import { Command } from 'commander';
import { isMain } from '../lib/cli/is-main.js';
import { integerOption } from '../lib/cli/options.js';
import { type ProgramContext, runProgram } from '../lib/cli/program.js';
import { UsageError } from '../lib/federation/errors.js';
import { aggregate } from './aggregate.js';

interface Flags {
  readonly dir?: string;
  readonly savefile: string;
  readonly parent?: string;
  readonly round?: number;
  readonly minUpdates: number;
}

const EXAMPLE = `
Example:
  fedbatch aggregate --dir runs/1/rounds/0001/updates --parent runs/1/rounds/0001/global.h5 --savefile global.h5

The last line on stdout is a JSON object: updates, examples, rejected (file and reason), sha256, seconds.
An update is rejected when its names, shapes, round or parent differ, when it holds a number that is not finite, when it
counts no examples, and when its client has already reported. Exit code 4: fewer good updates than --min-updates.`;

/** The command with its options. */
export function aggregateCommand({ reporter, signal }: ProgramContext): Command {
  return new Command('aggregate')
    .description('Average client updates, weighted by their numbers of examples, into the next global model')
    .argument(
      '[files...]',
      'updates named one by one; plain Keras models among them count as one example each',
    )
    .option('--dir <dir>', 'directory of client updates: its *.h5 files')
    .requiredOption('--savefile <h5>', 'where the new global model goes')
    .option(
      '--parent <h5>',
      'the global model that the round started from (default: what all updates agree on)',
    )
    .option('--round <r>', 'the round (default: what all updates agree on)', integerOption({ min: 1 }))
    .option('--min-updates <n>', 'fewest good updates that make a global model', integerOption({ min: 1 }), 1)
    .addHelpText('after', EXAMPLE)
    .action(async (files: string[], { dir, savefile, parent, round, minUpdates }: Flags) => {
      if (dir === undefined && files.length === 0)
        throw new UsageError('Expected --dir or files, found neither.');
      const result = await aggregate({
        directory: dir,
        files,
        saveFile: savefile,
        parent,
        round,
        minUpdates,
        reporter,
        signal,
      });
      reporter.close();
      process.stdout.write(`${JSON.stringify(result)}\n`);
    });
}

if (isMain(import.meta.url)) await runProgram(aggregateCommand, process.argv.slice(2));
