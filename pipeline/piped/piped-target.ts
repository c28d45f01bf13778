/** The target where somebody else trains the clients, on other machines that share the volume. */
import { StageError } from '../../lib/core/errors.js';
import { trainResultSchema } from '../../lib/formats/stage-results.js';
import { pause } from '../../lib/system/abort.js';
import { type CommandRunner, commandTarget } from '../command-target.js';
import type { LocalRun } from '../local-run.js';
import { holds } from '../record/round-ledger.js';
import { type StageRunner, stageName, type Target } from '../rounds/target.js';
import { lastJsonLine, settleStage } from '../stage-process.js';
import type { TrainingPipe } from './training-pipe.js';

/** How long a file that another machine has written may take to appear: NFS remembers a missing name for 30 s. */
const APPEARS_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 500;

/** What clients do goes through `pipe`; `stages` runs the other ones, by default as processes of this machine. */
export function pipedTarget(
  room: Pick<LocalRun, 'cores' | 'jobs' | 'threads'>,
  pipe: TrainingPipe,
  stages?: StageRunner,
): Target {
  const here = commandTarget(room, stages);
  // How many fit beside each other is known to the external trainer: all of a round are given away at once.
  const unlimited = { ...room, jobs: Number.POSITIVE_INFINITY, cores: Number.POSITIVE_INFINITY };
  const elsewhere = commandTarget(unlimited, giveThrough(pipe));
  return {
    execute: (commands, options) =>
      (commands.some(({ client }) => client !== undefined) ? elsewhere : here).execute(commands, options),
    close: here.close,
  };
}

/** Gives a client's training, or a command of the user's own, away. */
function giveThrough(pipe: TrainingPipe): CommandRunner {
  return async (command, context) => {
    const { round, client = 0 } = command;
    const event = command.stage === 'each' ? 'each' : 'train';
    const name = event === 'each' ? 'as-client' : 'train';
    const words = [name, ...command.arguments, '--log-format', 'json'];
    const ending = await pipe.give({ event, round, client, command: words }, context.signal);
    const lines = settleStage(command, ending, context);
    if (event === 'each') return lines;
    const { sha256 } = lastJsonLine(command, lines, trainResultSchema);
    const [path = ''] = command.writes;
    await appears(path, { command, sha256, signal: context.signal });
    return lines;
  };
}

/**
 * Waits until this machine sees the update that another one says it wrote.
 *
 * @throws {StageError} when it does not appear
 * @throws {InterruptedError} when `signal` aborts
 */
async function appears(
  path: string,
  {
    command,
    sha256,
    signal,
  }: {
    readonly command: Parameters<CommandRunner>[0];
    readonly sha256: string;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const until = Date.now() + APPEARS_WITHIN_MS;
  while (!(await holds(path, sha256).catch(() => false))) {
    if (Date.now() > until) {
      throw new StageError(
        stageName(command),
        `its update ${path} was reported and is not to be seen here: is the volume the same on every machine?`,
        { client: command.client },
      );
    }
    await pause(LOOK_EVERY_MS, signal);
  }
}
