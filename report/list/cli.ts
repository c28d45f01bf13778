/** `fedbatch runs`: the runs below a folder, and runs side by side. */
import { Command } from 'commander';
import { tagOption } from '../../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../../lib/cli/program.js';
import { sayResult } from '../../lib/cli/result.js';
import { RUNS } from '../../lib/formats/volume.js';

/** Columns of a list where the output is no terminal: whatever shows it has as many. */
const PLAIN_WIDTH = 80;

interface ListFlags {
  readonly tag?: readonly string[];
  readonly json?: true;
}

interface CompareFlags {
  readonly in: string;
  readonly json?: true;
}

/** The command of the list, with `compare` below it. */
export function runsCli(context: ProgramContext): Command {
  return (
    new Command('runs')
      .description('List the runs below a folder, the newest first, from their files alone.')
      .argument('[folder]', 'folder that is searched', RUNS)
      .addOption(tagOption('only runs with this tag; may be given again for runs with all of them'))
      .option('--json', 'print one JSON line')
      // What follows compare is compare's.
      .enablePositionalOptions()
      .addCommand(compareCli(context))
      .addHelpText(
        'after',
        '\nExamples:\n  npx fedbatch runs\n  npx fedbatch runs sweeps --tag baseline --json\n  npx fedbatch runs compare first digits-3x2-1a2b',
      )
      .action(async (folder: string, { tag: tags = [], json }: ListFlags) => {
        const { formatRows, listRuns } = await import('./run-list.js');
        const all = await listRuns({ folder, warn: (message) => context.reporter.warn(message) });
        const rows = all.filter((row) => tags.every((tag) => row.tags?.includes(tag)));
        const none = `There are no runs below ${folder}${tags.length === 0 ? '' : ` with the tag ${tags.join(' and ')}`}.`;
        const width = process.stdout.columns ?? PLAIN_WIDTH;
        sayResult(rows, () => (rows.length === 0 ? none : formatRows(rows, width)), json);
      })
  );
}

function compareCli(context: ProgramContext): Command {
  return new Command('compare')
    .summary('show what sets runs apart, and what came of it')
    .description('Show in which settings runs differ, and what their last tests found, side by side.')
    .argument('<runs...>', 'two runs or more: volumes, names, ids, beginnings of them, or latest')
    .option('--in <folder>', 'folder in which names and ids are looked for', RUNS)
    .option('--json', 'print one JSON line')
    .addHelpText(
      'after',
      '\nExamples:\n  npx fedbatch runs compare runs/digits-3x2-1a2b3c4d runs/digits-3x2-5e6f7a8b\n  npx fedbatch runs compare baseline dropout --in experiments',
    )
    .action(async (words: readonly string[], flags: CompareFlags) => {
      const { UsageError } = await import('../../lib/core/errors.js');
      if (words.length < 2)
        throw new UsageError(`Expected two runs to compare, found ${words.join(' ')} alone.`);
      const { findVolume } = await import('../../lib/formats/runs/find-run.js');
      const { compareRuns, formatComparison, readComparedRun } = await import('./compare-runs.js');
      const options = { folder: flags.in, warn: (message: string) => context.reporter.warn(message) };
      const found = [];
      for (const word of words) found.push(await readComparedRun(await findVolume(word, options)));
      const comparison = compareRuns(found);
      sayResult(comparison, () => formatComparison(comparison), flags.json);
    });
}

if (isMain(import.meta.url)) await runProgram(runsCli, process.argv.slice(2));
