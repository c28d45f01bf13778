/** `fedbatch doctor`: which engines work on this machine, and how fast. */
import { styleText } from 'node:util';
import { Command } from 'commander';
import { threadsOption } from '../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { addSettings, askedByFlags, type CommandSettings } from '../lib/settings/options.js';
import { ENGINE, engineAsked } from '../lib/settings/parts/engine.js';
import { examine } from './examine.js';
import { formatFindings } from './report.js';

interface DoctorFlags {
  readonly quick?: true;
  readonly json?: true;
  readonly threads: number;
}

const SETTINGS: CommandSettings = { parts: [ENGINE], stage: 'doctor', hasTitles: false };

/** Training time that is measured per backend. */
const MEASURE_SECONDS = 2;

/** Prints what it found to stdout; ends with exit code 2 where no engine works, or not the one that was asked for. */
export function doctorCli(context: ProgramContext): Command {
  const command = new Command('doctor')
    .description(
      'show which engines and backends work on this machine, how fast they are, and what to install',
    )
    .option('--quick', 'only try whether they work, without measuring')
    .option('--json', 'print the findings as JSON')
    .addOption(threadsOption());
  return addSettings(command, SETTINGS)
    .addHelpText(
      'after',
      `
Each backend is tried in a process of its own: train the default network (cnn, batch 100) for ${MEASURE_SECONDS} seconds.

Examples:
  npx fedbatch doctor
  npx fedbatch doctor --quick --json
  npx fedbatch doctor --engine onnx --threads 1`,
    )
    .action(async (flags: DoctorFlags) => {
      const { quick = false, json = false, threads } = flags;
      const choice = engineAsked(askedByFlags(command, SETTINGS));
      const { findings, refusal } = await examine(
        { choice, threads, measureSeconds: quick ? 0 : MEASURE_SECONDS },
        context,
      );
      context.reporter.close();
      // Node's own judgement: a terminal that can, NO_COLOR, FORCE_COLOR.
      const color = styleText('bold', 'x', { stream: process.stdout }) !== 'x';
      process.stdout.write(
        json
          ? `${JSON.stringify(findings, null, 2)}\n`
          : `${formatFindings(findings, { color, measured: !quick, width: process.stdout.columns ?? Infinity })}\n`,
      );
      const isOpen = choice.name === 'auto' && choice.backend === undefined;
      // Where all is open, one engine that works is enough, even if `auto` would not take it.
      const isWell = isOpen && findings.backends.some(({ works }) => works);
      if (refusal !== undefined && !isWell) throw refusal;
    });
}

if (isMain(import.meta.url)) await runProgram(doctorCli, process.argv.slice(2));
