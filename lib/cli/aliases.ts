/** Other names of options, which programs take and help does not show: those of earlier versions and of other tools. */
import type { Command } from 'commander';

/** An option, as its program declares it, and what else it may be called. */
interface Aliases {
  readonly option: RegExp;
  readonly names: readonly string[];
}

/** Where a program has an option of such a name itself, that one is meant. */
const ALIASES: readonly Aliases[] = [
  {
    option: /^--clients <count>$/,
    names: [
      '--n-container',
      '--n-containers',
      '--n-clients',
      '--num-clients',
      '--n-workers',
      '--num-workers',
    ],
  },
  { option: /^--epochs /, names: ['--epoch', '--n-epochs', '--num-epochs', '--local-epochs'] },
  { option: /^--rounds /, names: ['--round', '--n-rounds', '--num-rounds'] },
  { option: /^--batch /, names: ['--batch-size', '--batchsize', '--bs'] },
  { option: /^--learning-rate /, names: ['--lr', '--eta'] },
  {
    option: /^--out /,
    names: [
      ...['--savedir', '--savemodel', '--savefile', '--save-dir', '--save-model', '--save-file', '--save'],
      ...['--output', '--output-dir', '--out-dir'],
    ],
  },
  { option: /^--model <h5/, names: ['--modelpath', '--model-path'] },
  { option: /^--data /, names: ['--dataset', '--data-path'] },
];

/** The arguments with each other name of an option replaced by its own, for the (sub)command that they call. */
export function withoutAliases(command: Command, argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--');
  let called = command;
  return argv.map((argument, at) => {
    if (end >= 0 && at >= end) return argument;
    if (!argument.startsWith('--')) {
      called = called.commands.find((each) => each.name() === argument) ?? called;
      return argument;
    }
    const [name = '', ...value] = argument.split('=');
    return [optionNamed(name, called), ...value].join('=');
  });
}

function optionNamed(name: string, { options }: Command): string {
  if (options.some(({ long }) => long === name)) return name;
  const meant = ALIASES.find(({ names }) => names.includes(name))?.option;
  return options.find(({ flags }) => meant?.test(flags))?.long ?? name;
}
