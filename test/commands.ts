/** The commands of `npx fedbatch` as values, for tests of their options. */
import type { Command } from 'commander';
import type { CommandBuilder, ProgramContext } from '../lib/cli/program.js';

const BUILDERS: Readonly<Record<string, () => Promise<CommandBuilder>>> = {
  run: async () => (await import('../pipeline/cli.js')).runCommand,
  split: async () => (await import('../splitter/cli.js')).splitCommand,
  init: async () => (await import('../trainer/init-cli.js')).initCommand,
  train: async () => (await import('../trainer/cli.js')).trainCommand,
  aggregate: async () => (await import('../aggregator/cli.js')).aggregateCommand,
  evaluate: async () => (await import('../evaluator/cli.js')).evaluateCommand,
  serve: async () => (await import('../server/cli.js')).serveCommand,
  predict: async () => (await import('../server/predict-cli.js')).predictCommand,
  k8s: async () => (await import('../k8s/cli.js')).k8sCommand,
  dataset: async () => (await import('../datasets/cli.js')).datasetCommand,
  doctor: async () => (await import('../doctor/cli.js')).doctorCommand,
  report: async () => (await import('../report/cli.js')).reportCommand,
  record: async () => (await import('../pipeline/record/cli.js')).recordCommand,
};

/** Their names. */
export const COMMAND_NAMES: readonly string[] = Object.keys(BUILDERS);

/** What builds a command. */
export async function builderOf(name: string): Promise<CommandBuilder> {
  const build = await BUILDERS[name]?.();
  if (build === undefined) throw new Error(`There is no command ${name}.`);
  return build;
}

/** A command, which is not to be run. */
export async function commandNamed(name: string): Promise<Command> {
  return (await builderOf(name))({} as ProgramContext);
}
