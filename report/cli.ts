/** `fedbatch report`: what a run did, or several runs side by side, as a page to read. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import type { ReportResult } from '../lib/formats/run-results.js';
import { LATEST, RUN_ARGUMENT } from '../lib/formats/volume.js';

interface ReportFlags {
  readonly volume?: string;
  readonly out: string;
}

/** The command of the report. */
export function reportCli(context: ProgramContext): Command {
  const { reporter } = context;
  return new Command('report')
    .description(
      "Write report.html from a run's records: result, curves, client by client, participation, the clients' data, " +
        'times; of several runs, or all of a sweep, a page that compares them.',
    )
    .argument(
      '[runs...]',
      `${RUN_ARGUMENT} (default: ${LATEST}); several are compared, a folder stands for all runs below it`,
    )
    .option('--volume <dir>', 'volume of a run; report.html is written into it, over an earlier one')
    .option('--out <html>', 'page that compares several runs', 'comparison.html')
    .addHelpText(
      'after',
      `
Examples:
  npx fedbatch report runs/digits-3x2-1a2b3c4d
  npx fedbatch report baseline dropout --out dropout.html
  npx fedbatch report sweeps/learning-rates`,
    )
    .action(async (words: readonly string[], { volume, out }: ReportFlags) => {
      const { chosenVolumes } = await import('../lib/formats/runs/find-run.js');
      const named = volume === undefined ? words : [volume, ...words];
      const asked = named.length === 0 ? [LATEST] : named;
      const warn = (message: string) => reporter.warn(message);
      // A volume that is named as such is one, or refused for what it lacks.
      const isVolume = volume !== undefined && words.length === 0;
      const runs = isVolume ? [volume] : await chosenVolumes(asked, { takesSeeds: true, warn });
      const [only, ...others] = runs;
      if (only !== undefined && others.length === 0) {
        process.stdout.write(`${JSON.stringify(await reportOn(resolve(only), context))}\n`);
        return;
      }
      const { writeComparison } = await import('./list/comparison-page.js');
      const file = resolve(out);
      const rounds = await writeComparison(runs, { file, words: asked });
      reporter.info(`Wrote a page that compares ${runs.length} runs.`);
      const result: ReportResult = { file, rounds, runs: runs.length };
      process.stdout.write(`${JSON.stringify(result)}\n`);
    });
}

/** Writes the report of one run. */
async function reportOn(volume: string, { reporter }: ProgramContext): Promise<ReportResult> {
  const { writeReport } = await import('./report.js');
  const { placeOfFailure } = await import('../lib/formats/run-results.js');
  const { file, rounds, state, faults } = await writeReport(volume);
  for (const fault of faults) reporter.warn(fault);
  reporter.info(`Wrote the report of ${rounds} round${rounds === 1 ? '' : 's'}.`);
  const failure = state?.kind === 'failed' ? state.failure : undefined;
  if (failure !== undefined) {
    const { exitCode, reason, next } = failure;
    reporter.info(`The run failed: ${placeOfFailure(failure)}, exit code ${exitCode}. ${reason} ${next}`);
  }
  return { file, rounds, state: state?.kind, failure };
}

if (isMain(import.meta.url)) await runProgram(reportCli, process.argv.slice(2));
