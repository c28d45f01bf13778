/** The program of a process that runs stages one after the other: each is a line of JSON on stdin. */
import { createInterface } from 'node:readline';
import { Command } from 'commander';
import {
  type CommandBuilder,
  isMain,
  type ProgramContext,
  runArguments,
  runProgram,
} from '../lib/cli/program.js';
import { ExitCode } from '../lib/core/errors.js';
import { HOSTED_DONE, type HostedRequest } from './stage-hosts.js';

/** The stages that rounds repeat, by their programs; each is loaded when it is asked for first. */
const BUILDERS: Readonly<Record<HostedRequest['program'], () => Promise<CommandBuilder>>> = {
  'trainer/cli.js': async () => (await import('../trainer/cli.js')).trainCli,
  'aggregator/cli.js': async () => (await import('../aggregator/cli.js')).aggregateCli,
  'evaluator/cli.js': async () => (await import('../evaluator/cli.js')).evaluateCli,
};

/**
 * Runs stages until stdin ends, or until one fails: it ends the process by its exit code, as in a process of its own,
 * for nobody knows what it has left behind. What the process works at is its title, which `ps` shows.
 */
function hostCli({ reporter, signal }: ProgramContext): Command {
  const command = new Command('stages').description('Run stages, one after the other.').argument('<volume>');
  return command.action(async (volume: string) => {
    for await (const line of createInterface({ input: process.stdin, signal })) {
      const request = JSON.parse(line) as HostedRequest;
      process.title = `fedbatch ${request.name} ${volume}`;
      const build = await BUILDERS[request.program]();
      const context = { reporter, signal, startedAtMs: performance.now() };
      const exitCode = await runArguments(build, request.arguments, context);
      if (exitCode !== ExitCode.ok) {
        process.exitCode = exitCode;
        return;
      }
      process.title = `fedbatch idle ${volume}`;
      for (const stream of [process.stdout, process.stderr]) stream.write(`${HOSTED_DONE}\n`);
    }
  });
}

if (isMain(import.meta.url)) await runProgram(hostCli, process.argv.slice(2));
