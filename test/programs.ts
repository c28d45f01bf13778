/** Runs the project's own programs as users do (real processes, real files), and knows their commands as values. */
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { execa } from 'execa';
import { COMMANDS } from '../commands.js';
import type { CommandBuilder, ProgramContext } from '../lib/cli/program.js';
import { randomStream } from '../lib/core/random.js';
import { type Examples, labelledImages } from '../lib/federation/examples.js';
import { requireProgramResult } from './results.js';

/** Programs by their folder, as compiled. */
export type Program =
  | 'splitter/cli'
  | 'trainer/cli'
  | 'trainer/init-cli'
  | 'aggregator/cli'
  | 'evaluator/cli'
  | 'server/cli'
  | 'server/predict-cli'
  | 'pipeline/cli'
  | 'pipeline/in-turn-cli'
  | 'simulator/cli'
  | 'datasets/cli'
  | 'doctor/cli'
  | 'report/cli'
  | 'cli';

/** What a finished program left behind. */
export interface Finished {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Path of a compiled program. */
export function programPath(program: Program): string {
  // Seen from dist/test/.
  return fileURLToPath(new URL(`../${program}.js`, import.meta.url));
}

/** Runs a program to its end; a failure is a result, not an exception. */
export async function runProgramFile(
  program: Program,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Finished> {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [programPath(program), ...args], {
    reject: false,
    ...options,
  });
  const finished = { exitCode, stdout, stderr };
  requireProgramResult(program, args, finished);
  return finished;
}

/** Last line of an output. */
export const lastLine = (output: string): string => output.trimEnd().split('\n').at(-1) ?? '';

/** Learnable uint8 images `[count, 12, 12]`: the class (0 to 3) is the bright quarter. */
export function quarterExamples(count: number, seed: number): Examples {
  const random = randomStream(seed, 'quarter-examples');
  const labels = Int32Array.from({ length: count }, (_, index) => index % 4);
  const images = Uint8Array.from({ length: count * 144 }, (_, at) => {
    const [row, column] = [Math.floor((at % 144) / 12), at % 12];
    const quarter = (row < 6 ? 0 : 2) + (column < 6 ? 0 : 1);
    return random.integer(0, 120) + (quarter === labels[Math.floor(at / 144)] ? 120 : 0);
  });
  return labelledImages([count, 12, 12], images, labels);
}

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
