/** The options that sweeps have in common, wherever their trials run. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { integerOption, jsonOption, MAX_THREADS } from '../lib/cli/options.js';
import type { OutcomeFlags } from '../lib/cli/result.js';
import { UsageError } from '../lib/core/errors.js';
import { addSettings, type CommandSettings } from '../lib/settings/options.js';
import { type Axis, parseAxis } from './axes.js';

/** What the options of {@link addSweepOptions} parse to. */
export interface SweepFlags extends OutcomeFlags {
  readonly grid: readonly Axis[];
  readonly random?: number;
  readonly sobol?: number;
  readonly file?: string;
  readonly medianRule?: number;
  readonly parallel?: number;
  readonly out?: string;
  readonly fresh?: true;
}

/** Adds what a sweep takes: axes, search, and the settings of its trials. */
export function addSweepOptions(command: Command, settings: CommandSettings): Command {
  command
    .optionsGroup('Sweep:')
    .addOption(
      new Option(
        '--grid <setting=values>',
        'an axis: a setting and its values, with commas between (semicolons where values have commas), or a range of ' +
          'numbers such as 0..1 or log:1e-4..1e-1; given again for each axis; seed repeats each combination',
      )
        .argParser(addAxis)
        .default([], 'none'),
    )
    .option('--random <count>', 'so many combinations at random in place of all', integerOption({ min: 1 }))
    .option(
      '--sobol <count>',
      "so many combinations, spread evenly over the axes by Sobol's sequence",
      integerOption({ min: 1 }),
    )
    .option('--file <yaml>', 'axes, search and settings from a file, YAML or JSON; flags win')
    .option(
      '--median-rule <rounds>',
      'after so many rounds, stop trials whose metric is worse than the median of the others at the same round',
      integerOption({ min: 1 }),
    )
    .option(
      '--parallel <count>',
      'trials side by side (default: 1)',
      integerOption({ min: 1, max: MAX_THREADS }),
    )
    .option('--out <dir>', "directory of the sweep's files here (default: sweeps/<sweep id>)")
    .option('--fresh', 'start all trials over')
    .addOption(jsonOption());
  return addSettings(command, settings);
}

/** @throws {InvalidArgumentError} for what is no axis, and a setting that is one already */
function addAxis(text: string, before: readonly Axis[]): readonly Axis[] {
  try {
    const axis = parseAxis(text);
    if (before.some(({ name }) => name === axis.name)) {
      throw new UsageError(`${axis.name} is an axis already: give all of its values at once.`);
    }
    return [...before, axis];
  } catch (error) {
    if (error instanceof UsageError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}
