/** How help looks: options in titled groups, each with its choices, its default and the variable that sets it. */
import type { Command, Option } from 'commander';

/** Columns of help at most. */
const MOST_COLUMNS = 110;

/** The title of the options that every command has. */
export const COMMON_OPTIONS = 'Help and messages:';

/** Sets how the help of a command is written. */
export function configureHelp(command: Command): Command {
  return command.configureHelp({
    ...command.configureHelp(),
    optionDescription: describeOption,
    helpWidth: helpWidth(),
  });
}

/** E.g. `the model; one of cnn, mlp (default: cnn)`; what each choice means stands on lines of its own. */
function describeOption(option: Option): string {
  const { description, argChoices, envVar } = option;
  const [sentence = '', ...meanings] = description.split('\n');
  const choices = argChoices === undefined || meanings.length > 0 ? '' : `; one of ${argChoices.join(', ')}`;
  const byDefault = option.defaultValueDescription ?? valueInWords(option.defaultValue);
  const facts = [
    ...(byDefault === undefined ? [] : [`default: ${byDefault}`]),
    ...(envVar === undefined ? [] : [`environment: ${envVar}`]),
  ];
  const told = facts.length === 0 ? '' : ` (${facts.join('; ')})`;
  return [sentence + choices + told, ...meanings].join('\n');
}

function valueInWords(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? `${value}` : undefined;
}

/** As wide as the terminal, but no wider than reads well; a pipe or a log gets the full measure. */
function helpWidth(): number {
  return Math.max(60, Math.min(process.stdout.columns ?? MOST_COLUMNS, MOST_COLUMNS));
}
