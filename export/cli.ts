/** `fedbatch export`: a model for other programs, and its card. */
import { Command, Option } from 'commander';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { tellResult } from '../lib/cli/result.js';
import { FORMAT_HELP, FORMAT_NAMES, type FormatName } from './format.js';

interface ExportFlags {
  readonly to?: FormatName;
  readonly output?: string;
  readonly card?: boolean;
  readonly python: string;
}

const MEANINGS = Object.entries(FORMAT_HELP).map(([name, help]) => `${name}: ${help}`);

/** The command of the exporter. */
export function exportCli(context: ProgramContext): Command {
  return new Command('export')
    .description('Write a model for other programs, with what is known of it, and a model card.')
    .argument(
      '[model]',
      'a model file, or a run, whose last global model it is: its volume, name or id below runs/, the beginning of one, or latest (default: latest)',
    )
    .addOption(
      new Option('--to <format>', ['the format; one of', ...MEANINGS].join('\n')).choices(FORMAT_NAMES),
    )
    .option(
      '--output <path>',
      'the file or folder to write (default: in the working directory, called after the run or the model)',
    )
    .option('--card', 'write a model card in Markdown, too; alone, the card is all that is written')
    .addOption(
      new Option('--python <program>', 'a Python with TensorFlow, for --to savedmodel')
        .default('python3')
        .env('FEDBATCH_PYTHON'),
    )
    .addHelpText(
      'after',
      `
Examples:
  npx fedbatch export --to onnx
  npx fedbatch export runs/digits-3x2-1a2b3c4d --to tfjs --output public/model
  npx fedbatch export best-model.h5 --to safetensors --card
  npx fedbatch export --card --output README.md`,
    )
    .action(async (model: string | undefined, { card = false, ...flags }: ExportFlags) => {
      const { callExport } = await import('./call.js');
      tellResult(await callExport({ ...flags, model, card }, context));
    });
}

if (isMain(import.meta.url)) await runProgram(exportCli, process.argv.slice(2));
