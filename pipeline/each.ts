/** A command on all clients as a call, on this machine: the program and the library make it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DataError, UsageError } from '../lib/core/errors.js';
import { manifestBeside } from '../lib/formats/manifest-facts.js';
import type { EachResult } from '../lib/formats/stage-results.js';
import { availableCores } from '../lib/system/hardware.js';
import { type CommandRunner, commandTarget } from './command-target.js';
import { pipedTarget } from './piped/piped-target.js';
import type { TrainingPipe } from './piped/training-pipe.js';
import { type EachTolerance, onClients } from './rounds/on-clients.js';
import type { StageContext } from './rounds/target.js';

/** What to run on whom. */
export interface EachAsked extends EachTolerance {
  readonly command: readonly string[];
  /** Directory of the clients' shards, where they have some. */
  readonly data?: string | undefined;
  /** How many clients; by default as many as there are shards. */
  readonly clients?: number | undefined;
  /** Commands side by side at most; by default one for each core. */
  readonly jobs?: number | undefined;
  readonly timeoutSeconds?: number | undefined;
  /** Opens the channel to somebody else who runs the commands; by default they are processes of this machine. */
  readonly openRunners?: (() => Promise<TrainingPipe>) | undefined;
  /** Runs what each client's part is; by default a process of this machine. */
  readonly stages?: CommandRunner | undefined;
}

/** Runs the command as each client. @throws {FedbatchError} as `onClients` does, and for clients that there are not */
export async function callEach(asked: EachAsked, context: StageContext): Promise<EachResult> {
  const { command, data, timeoutSeconds, jobs = availableCores(), openRunners, stages, ...tolerance } = asked;
  const task = { command, size: await sizeOf(asked), data, timeoutSeconds };
  const room = { cores: jobs, jobs, threads: 1 };
  const runners = await openRunners?.();
  const target = runners === undefined ? commandTarget(room, stages) : pipedTarget(room, runners);
  return await onClients(target, task, { ...tolerance, ...context }).finally(() => runners?.close());
}

async function sizeOf({ data, clients }: EachAsked): Promise<number> {
  if (data === undefined) {
    if (clients !== undefined) return clients;
    throw new UsageError('Expected the directory of shards or the number of clients, found neither.');
  }
  const shards = await shardsIn(data);
  if (clients === undefined || clients <= shards) return clients ?? shards;
  throw new UsageError(`Expected at most ${shards} clients, the shards in ${data}, found ${clients}.`);
}

/** @throws {DataError} when there is none */
async function shardsIn(data: string): Promise<number> {
  const manifest = await manifestBeside(join(data, '0.npz'));
  let found = manifest?.shards.length ?? 0;
  if (manifest === undefined) while (existsSync(join(data, `${found}.npz`))) found++;
  if (found > 0) return found;
  const expected = 'a shard for each client, 0.npz, 1.npz and so on, as npx fedbatch split writes them';
  throw new DataError({
    file: data,
    expected,
    found: manifest === undefined ? 'none' : 'a split for simulations',
  });
}
