/** The program of a process that runs stages one after the other: each is a line of JSON on stdin. */
import { createInterface } from 'node:readline';
import { Command } from 'commander';
import {
  type CommandBuilder,
  isMain,
  type ProgramContext,
  runArguments,
  runProgram,
} from './lib/cli/program.js';
import { ExitCode } from './lib/core/errors.js';
import { HOSTED_BEGUN, HOSTED_DONE, type HostedRequest } from './pipeline/stage-hosts.js';

/** What a process may be asked for: no more, so that the image of the trainer holds no server. */
const STAGES: Readonly<Record<HostedRequest['stage'], () => Promise<CommandBuilder>>> = {
  train: async () => (await import('./trainer/cli.js')).trainCli,
  aggregate: async () => (await import('./aggregator/cli.js')).aggregateCli,
  evaluate: async () => (await import('./evaluator/cli.js')).evaluateCli,
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
      process.stderr.write(`${HOSTED_BEGUN}\n`);
      const build = await STAGES[request.stage]();
      const context = { reporter, signal, startedAtMs: performance.now(), stays: true };
      const exitCode = await runArguments(build, request.arguments, context);
      if (exitCode !== ExitCode.ok) {
        process.exitCode = exitCode;
        break;
      }
      process.title = `fedbatch idle ${volume}`;
      for (const stream of [process.stdout, process.stderr]) stream.write(`${HOSTED_DONE}\n`);
    }
    // An open pipe would keep the process.
    process.stdin.destroy();
  });
}

if (isMain(import.meta.url)) await runProgram(hostCli, process.argv.slice(2));
