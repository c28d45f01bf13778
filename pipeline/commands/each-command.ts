/** The command of a program that is not ours, as one client: made from what is asked for, and no part of a run. */
import { join } from 'node:path';
import { INDEXED_CLIENT } from '../../lib/formats/volume.js';
import type { StageCommand } from './stage-commands.js';

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
