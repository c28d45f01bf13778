/** The options that say how examples are dealt to clients: shared by `split` and `run`. */
import { type Command, Option } from 'commander';
import {
  PARTITION_PARAMETERS,
  PARTITION_SCHEMES,
  type PartitionSchemeName,
  type PartitionSettings,
  partitionSchemeNames,
  partitionSettings,
} from '../federation/partition/settings.js';
import { integerOption, numberOption } from './options.js';

/** What the options parse to. */
export interface PartitionFlags {
  readonly partition: PartitionSchemeName;
  readonly piecesPerClient?: number;
  readonly alpha?: number;
  readonly labelsPerClient?: number;
  readonly key?: string;
  readonly minExamples: number;
}

/** Heading of these options in help. */
const GROUP = 'How examples are dealt to the clients:';

/** Adds `--partition` and the parameters of the schemes to a command. */
export function addPartitionOptions(command: Command): Command {
  for (const option of partitionOptions()) command.addOption(option.helpGroup(GROUP));
  return command;
}

function partitionOptions(): readonly Option[] {
  const { piecesPerClient, alpha, labelsPerClient } = PARTITION_PARAMETERS;
  const summaries = Object.entries(PARTITION_SCHEMES).map(([name, text]) => `${name}: ${text}`);
  const number = (flags: string, description: string, parse: (text: string) => number) =>
    new Option(flags, description).argParser(parse);
  return [
    new Option('--partition <scheme>', summaries.join('; ')).choices(partitionSchemeNames).default('iid'),
    number(
      '--pieces-per-client <count>',
      `pathological: pieces of label-sorted examples for each client (default: ${piecesPerClient.default})`,
      integerOption({ min: 1 }),
    ),
    number(
      '--alpha <concentration>',
      `dirichlet, quantity-skew: the smaller, the more the clients differ (default: ${alpha.default})`,
      numberOption(),
    ),
    number(
      '--labels-per-client <count>',
      `label-skew: labels that each client holds (default: ${labelsPerClient.default})`,
      integerOption({ min: 1 }),
    ),
    new Option('--key <array>', 'by-key: name of the array in the npz that says whose each example is'),
    number(
      '--min-examples <count>',
      'examples that each client gets at least; where chance decides, it is redrawn until that holds',
      integerOption({ min: 1 }),
    ).default(1),
  ];
}

/** The settings behind the flags. @throws {UsageError} when they do not go together */
export function partitionOf({ partition, ...given }: PartitionFlags): PartitionSettings {
  return partitionSettings(partition, given);
}
