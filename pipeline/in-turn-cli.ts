/** Trains several clients of a Job in one pod, one after the other: what costs one of them costs it alone. */
import { Command, Option } from 'commander';
import { clientList, integerOption } from '../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { tellResult } from '../lib/cli/result.js';
import { type TrainResult, trainResultSchema } from '../lib/formats/stage-results.js';
import { measured } from '../lib/prometheus/watched-stage.js';
import { addSettings, askedByFlags } from '../lib/settings/options.js';
import { WATCHING } from '../lib/settings/parts/watching.js';
import { commandTarget } from './command-target.js';
import { ofPod, type StageCommand } from './commands/stage-commands.js';
import { type CommandEnding, stageName } from './rounds/target.js';
import { stageHosts } from './stage-hosts.js';

interface InTurnFlags {
  readonly clientsPerPod: number;
  readonly retries: number;
  readonly round: number;
  readonly clients: readonly number[];
  readonly clientIndex: number;
}

const SETTINGS = { parts: [WATCHING], stage: 'train' } as const;

/** Each training is a stage in a process that stays; the last line of stdout tells how all of them ended. */
function inTurnCli(context: ProgramContext): Command {
  const command = new Command('in-turn')
    .description('Train some of the clients of a round, one after the other: those of one pod.')
    .argument('<arguments...>', 'of each training, behind --; {client} in paths is the number of the client')
    .requiredOption('--clients-per-pod <count>', 'so many of the clients', integerOption({ min: 1 }))
    .option('--retries <count>', 'how often a client that fails is tried again', integerOption(), 0)
    .option('--round <r>', 'number of the round', integerOption({ min: 1 }), 1)
    .addOption(
      new Option('--clients <list>', 'the clients of the round, e.g. 3,7,12 or 0-99')
        .env('FEDBATCH_CLIENTS')
        .argParser(clientList)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--client-index <i>', 'which pod this is, from 0: it takes those from place i × count on')
        .env('JOB_COMPLETION_INDEX')
        .argParser(integerOption())
        .makeOptionMandatory(),
    );
  return addSettings(command, SETTINGS).action(async (words: readonly string[], flags: InTurnFlags) => {
    const { given } = askedByFlags(command, SETTINGS);
    const { endings } = await measured('train', { given, reporter: context.reporter }, async (reporter) => {
      const endings = await trainInTurn(words, flags, { ...context, reporter });
      const results = endings.flatMap((ending) => ('result' in ending ? [ending.result] : []));
      const sumOf = (figure: 'examples' | 'seconds') => results.reduce((sum, each) => sum + each[figure], 0);
      return { endings, examples: sumOf('examples'), seconds: sumOf('seconds') };
    });
    context.reporter.close();
    tellResult({ clients: endings.map(toldOf) }, ['clients']);
  });
}

/** Trains. @throws {StageError} when no client came through: another pod, on another machine, may do better */
async function trainInTurn(
  words: readonly string[],
  { clientsPerPod, clients, clientIndex, round, retries }: InTurnFlags,
  { reporter, signal }: ProgramContext,
): Promise<readonly CommandEnding<TrainResult>[]> {
  const commands = ofPod(clients, clientIndex, clientsPerPod).map((client): StageCommand => {
    const given = [...words, '--round', `${round}`, '--client', `${client}`];
    return {
      stage: 'train',
      round,
      client,
      program: 'trainer/cli.js',
      arguments: given,
      reads: [],
      writes: [],
    };
  });
  const hosts = stageHosts({ root: `pod ${clientIndex}` });
  // Which threads a training has stands in its arguments; here it has the pod.
  const target = commandTarget({ cores: 1, jobs: 1, threads: 1 }, hosts.run);
  try {
    const endings = await target.execute(commands, {
      ...{ reporter, signal, retries, schema: trainResultSchema },
      onRetry: async ({ command, reason }, retry) =>
        reporter.warn(`${stageName(command)}: ${reason}; trying again (${retry} of ${retries}).`),
      onEnding: async (ending) => {
        if ('reason' in ending) reporter.warn(`${stageName(ending.command)}: ${ending.reason}.`);
      },
    });
    const [first] = endings;
    if (first !== undefined && 'error' in first && endings.every((ending) => 'reason' in ending))
      throw first.error;
    return endings;
  } finally {
    await target.close();
    await hosts.close();
  }
}

/** How a training ended, as JSON holds it. */
function toldOf(ending: CommandEnding<TrainResult>): object {
  const { client } = ending.command;
  if ('result' in ending) return { client, result: ending.result };
  return { client, reason: ending.reason, exitCode: ending.error?.exitCode };
}

if (isMain(import.meta.url)) await runProgram(inTurnCli, process.argv.slice(2));
