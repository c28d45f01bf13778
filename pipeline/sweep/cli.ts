/** `fedbatch sweep`: many runs on this machine that differ in some settings, ranked. */
import { Command } from 'commander';
import { integerOption, MAX_THREADS, tagOption } from '../../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../../lib/cli/program.js';
import { ALL_PARTS } from '../../lib/settings/table.js';
import { callSweep } from '../../sweep/call.js';
import { addSweepOptions, type SweepFlags } from '../../sweep/options.js';
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
  context: ProgramContext,
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
      const { jobs, threads, tag: tags } = flags;
      await callSweep(
        command,
        {
          settings: SETTINGS,
          settingsOf: async (asked) => (await import('../call.js')).localSettings({ asked }),
          async runnerOf({ plan: { trials, axes }, directory, parallel, fresh }) {
            const { localTrials, refuseSharedPort, requirePossibleTrials } = await import(
              './local-trials.js'
            );
            const { sweepPaths } = await import('../../sweep/run-sweep.js');
            refuseSharedPort(trials, parallel);
            await requirePossibleTrials(trials, context);
            const { volume, record, page } = sweepPaths(directory);
            return localTrials({
              ...{ volume, axes, parallel, jobs, threads, fresh, tags },
              ...{ given: trials[0]?.asked.given ?? {}, files: [page, record] },
              ...elsewhere,
            });
          },
        },
        context,
      );
    });
}

if (isMain(import.meta.url)) await runProgram(sweepCli, process.argv.slice(2));
