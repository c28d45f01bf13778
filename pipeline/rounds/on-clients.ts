/** A command of the user's own on all clients, whatever the target: gathered in order, as many failures as the quorum allows. */

import { join } from 'node:path';
import { StageError, ThresholdError, UsageError } from '../../lib/core/errors.js';
import {
  listMissing,
  type MissingClient,
  type Quorum,
  requiredUpdates,
} from '../../lib/federation/quorum.js';
import { asClientResultSchema, type EachResult } from '../../lib/formats/stage-results.js';
import { INDEXED_CLIENT } from '../../lib/formats/volume.js';
import { formatSeconds } from '../../lib/observability/format.js';
import type { StageCommand } from '../commands/stage-commands.js';
import { type StageContext, stageName, type Target } from './target.js';

/** A command of the user's own, which each client runs once. */
export interface EachTask {
  /** Program and arguments; `{rank}`, `{size}`, `{shard}`, `{scratch}` and `{result}` stand for what is the client's. */
  readonly command: readonly string[];
  /** Clients in all. */
  readonly size: number;
  /** Directory of the shards, where clients have some. */
  readonly data?: string | undefined;
  /** Seconds that the command has. */
  readonly timeoutSeconds?: number | undefined;
}

/** Runs the user's command as one client; without its number, the index of a Job says which, as with trainers. */
export function eachCommand(
  { command, size, data, timeoutSeconds }: EachTask,
  client?: number,
): StageCommand {
  const shard = data === undefined ? undefined : join(data, `${client ?? INDEXED_CLIENT}.npz`);
  return {
    stage: 'each',
    ...(client === undefined ? {} : { client }),
    program: 'each/cli.js',
    arguments: [
      // In one word: its own flags are none of ours.
      ...['--command', JSON.stringify(command)],
      ...['--size', `${size}`],
      ...(shard === undefined ? [] : ['--shard', shard]),
      ...(timeoutSeconds === undefined ? [] : ['--timeout', `${timeoutSeconds}`]),
      ...(client === undefined ? [] : ['--client', `${client}`]),
    ],
    reads: shard === undefined ? [] : [shard],
    writes: [],
  };
}

/** Which failures are tolerated, and how long is waited. */
export interface EachTolerance {
  /** Clients whose command has to succeed; by default all, and the first that fails ends the others. */
  readonly quorum?: Quorum | undefined;
  /** How often a command that fails is retried; 0 by default. */
  readonly retries?: number | undefined;
  /** Seconds within which all have to be started. */
  readonly startSeconds?: number | undefined;
}

/**
 * Runs the command as each client.
 *
 * @throws {StageError} what the first client failed by, where no quorum says how many may
 * @throws {ThresholdError} when so many fail that the quorum is missed
 * @throws {UsageError} when the command is none, or the quorum more than all
 */
export async function onClients(
  target: Pick<Target, 'execute'>,
  task: EachTask,
  { quorum, retries = 0, startSeconds, ...context }: EachTolerance & StageContext,
): Promise<EachResult> {
  const { size } = task;
  const { reporter } = context;
  const needed = quorum === undefined ? size : requiredUpdates(quorum, size);
  if (needed > size)
    throw new UsageError(`A quorum of ${needed} is more than all clients, of which there are ${size}.`);
  const missing: MissingClient[] = [];
  let done = 0;
  const endings = await target.execute(
    Array.from({ length: size }, (_, client) => eachCommand(task, client)),
    {
      ...context,
      ...{ schema: asClientResultSchema, quorum: needed, retries, startSeconds },
      async onRetry({ command, reason }, retry) {
        reporter.warn(`${stageName(command)}: ${reason}: retry ${retry} of ${retries}`);
      },
      async onEnding(ending) {
        done++;
        reporter.progress({ stage: 'each', done, total: size, unit: 'clients' });
        if (!('reason' in ending)) return;
        const { command, reason, error } = ending;
        if (quorum === undefined) throw error ?? new StageError(stageName(command), `${reason}.`);
        reporter.warn(`${stageName(command)}: ${reason}`);
        missing.push({ client: command.client ?? 0, reason });
        if (size - missing.length >= needed) return;
        throw new ThresholdError(
          `The quorum is missed: ${needed} of ${size} clients have to succeed, and ${missing.length} cannot any more: ` +
            `${listMissing(missing)}.`,
        );
      },
    },
  );
  reporter.close();
  const results = endings.map((ending) =>
    'reason' in ending ? { client: ending.command.client ?? 0, reason: ending.reason } : ending.result,
  );
  return { clients: size, results };
}

/** What each client came to, a line for each. */
export function eachSummary({ results }: EachResult): string {
  const lines = results.map((each) => {
    if ('reason' in each) return `client ${each.client}  failed: ${each.reason}`;
    return `client ${each.client}  ${formatSeconds(each.seconds)}  ${JSON.stringify(each.result)}`;
  });
  return lines.join('\n');
}
