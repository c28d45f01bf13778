/** `fedbatch report`: what a run did, as a page to read. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import type { ReportResult } from '../lib/formats/run-results.js';
import { LATEST, RUN_ARGUMENT } from '../lib/formats/volume.js';
import type { Reporter } from '../lib/observability/events.js';

interface ReportFlags {
  readonly volume?: string;
}

/** The command of the report. */
export function reportCli({ reporter }: ProgramContext): Command {
  return new Command('report')
    .description(
      "Write report.html from a run's records: result, curves, participation, the clients' data, times.",
    )
    .argument('[run]', `${RUN_ARGUMENT} (default: ${LATEST})`)
    .option('--volume <dir>', 'volume of a run; report.html is written into it, over an earlier one')
    .addHelpText(
      'after',
      '\nExamples:\n  npx fedbatch report\n  npx fedbatch report --volume runs/digits-3x2-1a2b3c4d',
    )
    .action(async (run: string | undefined, flags: ReportFlags) => {
      const { writeReport } = await import('./report.js');
      const { placeOfFailure } = await import('../lib/formats/run-results.js');
      const { file, rounds, state } = await writeReport(resolve(await volumeOf(run, flags.volume, reporter)));
      reporter.info(`Wrote the report of ${rounds} round${rounds === 1 ? '' : 's'}.`);
      const failure = state?.kind === 'failed' ? state.failure : undefined;
      if (failure !== undefined) {
        const { exitCode, reason, next } = failure;
        reporter.info(`The run failed: ${placeOfFailure(failure)}, exit code ${exitCode}. ${reason} ${next}`);
      }
      const result: ReportResult = { file, rounds, state: state?.kind, failure };
      process.stdout.write(`${JSON.stringify(result)}\n`);
    });
}

/** The volume that is meant, told in one of two ways. */
async function volumeOf(
  run: string | undefined,
  volume: string | undefined,
  reporter: Reporter,
): Promise<string> {
  if (volume !== undefined && run === undefined) return volume;
  const { UsageError } = await import('../lib/core/errors.js');
  if (volume !== undefined)
    throw new UsageError(`Expected a run or --volume, found both ${run} and ${volume}.`);
  const { findVolume } = await import('../lib/formats/runs/find-run.js');
  return await findVolume(run ?? LATEST, { takesSeeds: true, warn: (message) => reporter.warn(message) });
}

if (isMain(import.meta.url)) await runProgram(reportCli, process.argv.slice(2));
