#!/usr/bin/env node
/** The `fedbatch` program: finds the command, loads that one alone, and runs it. */
import { Command } from 'commander';
import { COMMANDS } from './commands.js';
import { PROGRAM, runProgram } from './lib/cli/program.js';

/** The overview: every command in one line, its example below. */
function overview(): Command {
  const program = new Command(PROGRAM).description(
    'Federated averaging as a batch job: split a dataset, train one model per client, average them by number\n' +
      'of examples, test the average, serve it.',
  );
  for (const { name, summary } of COMMANDS) program.addCommand(new Command(name).summary(summary));
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  const examples = COMMANDS.map(({ name, example }) => `  ${name.padEnd(width)}  ${example}`);
  return program
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .helpCommand('help [command]', 'show the help of a command')
    .addHelpText(
      'after',
      `\nExamples:\n${examples.join('\n')}\n\n${PROGRAM} <command> --help explains its options.`,
    );
}

/** Where the command stands in `argv`: first, or after options that all commands share (`fedbatch --debug run`). */
function findCommand(argv: readonly string[]): number {
  const names = COMMANDS.map(({ name }) => name);
  const at = argv.findIndex((argument) => names.includes(argument));
  const isCommon = (argument: string, index: number) =>
    argument === '--debug' ||
    argument === '--quiet' ||
    argument.startsWith('--log-format') ||
    argument.startsWith('--log_format') ||
    /^--log[-_]format$/.test(argv[index - 1] ?? '');
  return argv.slice(0, Math.max(0, at)).every(isCommon) ? at : -1;
}

/** `fedbatch help split` is `fedbatch split --help`. */
const given = process.argv.slice(2);
const argv = given[0] === 'help' && given[1] !== undefined ? [...given.slice(1), '--help'] : given;
const at = findCommand(argv);
const entry = COMMANDS.find(({ name }) => name === argv[at]);
if (entry === undefined) await runProgram(overview, argv);
else await runProgram(await entry.load(), [...argv.slice(0, at), ...argv.slice(at + 1)]);
