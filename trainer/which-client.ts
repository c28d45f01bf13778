/** Which client a trainer trains: told by number, by its place in a list, or by the name of its shard. */
import { basename } from 'node:path';
import { UsageError } from '../lib/core/errors.js';

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
  const named = {
    ...files,
    client,
    data: fill(files.data, client),
    out: fill(files.out, client),
  };
  return files.init === undefined ? named : { ...named, init: fill(files.init, client) };
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
