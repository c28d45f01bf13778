/** `fedbatch sweep`: many runs on this machine that differ in some settings, ranked. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { integerOption, MAX_THREADS, tagOption } from '../../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../../lib/cli/program.js';
import { ALL_PARTS } from '../../lib/settings/table.js';
import { addSweepOptions, askedSweep, type SweepFlags, tellSweep } from '../../sweep/options.js';
import type { StageRunner } from '../rounds/target.js';

interface LocalSweepFlags extends SweepFlags {
  readonly jobs?: number;
  readonly threads?: number;
  readonly tag?: readonly string[];
}

const SETTINGS = { parts: ALL_PARTS } as const;

const EXAMPLES = `
Examples:
  npx fedbatch sweep --grid learning-rate=0.1,0.01,0.001 --grid hidden='64;64,32' --model mlp
  npx fedbatch sweep --grid learning-rate=log:1e-4..1e-1 --grid batch=10,50,100 --sobol 16 --grid seed=0,1,2
  npx fedbatch sweep --file sweep.yaml --median-rule 3 --parallel 2

The same command resumes where an earlier one stopped: finished trials are recognised.`;

/** The command; `elsewhere` says who does what processes of this machine would. */
export function sweepCli(
  { reporter, signal }: ProgramContext,
  elsewhere: { readonly stages?: StageRunner } = {},
): Command {
  const command = new Command('sweep').description(
    'Run the whole job once for each combination of some settings, and rank what came of it.',
  );
  return addSweepOptions(command, SETTINGS)
    .optionsGroup('Machine:')
    .option(
      '--jobs <count>',
      'trainers side by side of each trial (default: as many as fit on its share of the cores)',
      integerOption({ min: 1 }),
    )
    .option(
      '--threads <count>',
      'threads of each trainer (default: the number with which all clients finish soonest)',
      integerOption({ min: 1, max: MAX_THREADS }),
    )
    .addOption(tagOption('a word by which npx fedbatch runs finds the trials; may be given again'))
    .addHelpText('after', EXAMPLES)
    .action(async (flags: LocalSweepFlags) => {
      const context = { reporter, signal };
      const { localSettings } = await import('../call.js');
      const { plan, ...asked } = await askedSweep(command, SETTINGS, (each) =>
        localSettings({ asked: each }),
      );
      const { localTrials, requirePossibleTrials } = await import('./local-trials.js');
      const { runSweep, sweepPaths } = await import('../../sweep/run-sweep.js');
      await requirePossibleTrials(plan.trials, context);
      const directory = resolve(flags.out ?? `sweeps/${plan.id}`);
      const { jobs, threads, tag: tags, fresh = false } = flags;
      const { volume } = sweepPaths(directory);
      const { axes } = plan;
      const { parallel } = asked;
      const runner = localTrials({ volume, axes, parallel, jobs, threads, fresh, tags, ...elsewhere });
      const record = await runSweep({ plan, directory, runner, fresh, ...asked }, context);
      reporter.close();
      await tellSweep(record, { directory, isJson: flags.json ?? false, print: reporter.info });
    });
}

if (isMain(import.meta.url)) await runProgram(sweepCli, process.argv.slice(2));
