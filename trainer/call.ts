/** The trainer as a call: what is asked for → one client's update in a file. The program and the library make it. */

import { basename } from 'node:path';
import { UsageError } from '../lib/core/errors.js';
import type { StrategyName } from '../lib/federation/strategies/strategy-settings.js';
import type { TrainResult } from '../lib/formats/stage-results.js';
import { type AskedSettings, completeSettings } from '../lib/settings/complete.js';
import { MODEL, SEED } from '../lib/settings/parts/data.js';
import { ENGINE, engineAsked } from '../lib/settings/parts/engine.js';
import { checkOptimizer, optimizerAsked, TRAINING } from '../lib/settings/parts/training.js';
import type { TrainContext } from './train.js';

/** The settings that a training takes. */
export const TRAIN_PARTS = [SEED, MODEL, ENGINE, TRAINING] as const;

/** Whom to train, from what, and where the update goes. */
export interface TrainAsked extends ClientFiles, ClientChoice {
  readonly asked: AskedSettings;
  /** What `init` has to be, by the sha256 of the file. */
  readonly initSha256?: string | undefined;
  readonly classes?: number | undefined;
  readonly task?: string | undefined;
  readonly round: number;
  readonly threads: number;
  /** Where it asks more of clients than training. */
  readonly strategy?: StrategyName | undefined;
  /** The run's volume, for a strategy whose clients keep state between rounds. */
  readonly volume?: string | undefined;
}

/** Trains. @throws {DataError} as `trainClient` does */
export async function callTrainer(
  { asked, ...given }: TrainAsked,
  context: TrainContext,
): Promise<TrainResult> {
  const { client, clients, clientIndex, ...files } = given;
  const { out, ...request } = chooseClient(files, { client, clients, clientIndex });
  if (request.initSha256 !== undefined && request.init === undefined)
    throw new UsageError('--init-sha256 goes with --init, the file that it is of.');
  const { seed, model, training } = completeSettings(TRAIN_PARTS, asked);
  checkOptimizer(training, asked.named);
  const engine = engineAsked(asked);
  const optimizer = optimizerAsked(asked);
  // What trains is loaded once the arguments are right: help and refusals are quick.
  const { trainClient } = await import('./train.js');
  return trainClient({ ...request, seed, model, training, optimizer, engine }, out, context);
}

/** What a path holds in the place of the client's number. */
const CLIENT = '{client}';

/** What the options, and on Kubernetes the Job, tell of the client. */
export interface ClientChoice {
  readonly client?: number | undefined;
  /** The clients of the round; empty or undefined: all, in the order of their numbers. */
  readonly clients?: readonly number[] | undefined;
  /** The place in `clients`, from 0. */
  readonly clientIndex?: number | undefined;
}

/** Files that belong to a client; their paths may hold `{client}`. */
export interface ClientFiles {
  readonly data: string;
  readonly out: string;
  readonly init?: string | undefined;
  /** What the client holds out. */
  readonly clientTest?: string | undefined;
}

/**
 * The client's number, and its files with the number in the place of `{client}`.
 *
 * @throws {UsageError} when a path asks for a number that nothing tells, or the list is shorter than the index
 */
export function chooseClient<T extends ClientFiles>(
  files: T,
  choice: ClientChoice,
): T & { readonly client: number } {
  const client = numberOf(files, choice);
  const { data, out, init, clientTest } = files;
  return {
    ...files,
    client,
    data: fill(data, client),
    out: fill(out, client),
    ...(init === undefined ? {} : { init: fill(init, client) }),
    ...(clientTest === undefined ? {} : { clientTest: fill(clientTest, client) }),
  };
}

function numberOf({ data, out, init = '' }: ClientFiles, choice: ClientChoice): number {
  const { client, clients = [], clientIndex: index } = choice;
  if (client !== undefined) return client;
  // A Job's index counts only where a path asks for it: the environment of others must not change who is trained.
  if (![data, out, init].some((path) => path.includes(CLIENT))) return clientOfShard(data);
  if (index === undefined) {
    throw new UsageError(`${data}: expected --client or --client-index for ${CLIENT}, found neither.`);
  }
  const chosen = clients.length === 0 ? index : clients[index];
  if (chosen !== undefined) return chosen;
  throw new UsageError(`--client-index: expected less than ${clients.length}, found ${index}.`);
}

const fill = (path: string, client: number) => path.replaceAll(CLIENT, `${client}`);

/** The splitter names shards after their clients. */
function clientOfShard(path: string): number {
  return Number(/^(\d+)\.npz$/.exec(basename(path))?.[1] ?? 0);
}
