/** The commands of `npx fedbatch` as values, for tests of their options. */
import type { Command } from 'commander';
import { COMMANDS } from '../commands.js';
import type { CommandBuilder, ProgramContext } from '../lib/cli/program.js';

/** Their names. */
export const COMMAND_NAMES: readonly string[] = COMMANDS.map(({ name }) => name);

/** What builds a command. */
export async function builderOf(name: string): Promise<CommandBuilder> {
  const build = await COMMANDS.find((each) => each.name === name)?.load();
  if (build === undefined) throw new Error(`There is no command ${name}.`);
  return build;
}

/** A command, which is not to be run. */
export async function commandNamed(name: string): Promise<Command> {
  return (await builderOf(name))({} as ProgramContext);
}
