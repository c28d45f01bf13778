/** Anything on all clients as a call: a command, or a function of a module, and what it gave as each of them. */
import { fileURLToPath } from 'node:url';
import { UsageError } from '../lib/core/errors.js';
import { parseQuorum } from '../lib/federation/quorum.js';
import type { EachResult } from '../lib/formats/stage-results.js';
import { whole } from '../lib/settings/value-type.js';
import { type CallOptions, call } from './call.js';
import { askedBy, checkedOption } from './settings.js';

/** What is a client's, as the function of a module is given it. */
export interface AsClient {
  /** Number of the client, from 0. */
  readonly rank: number;
  /** Clients in all. */
  readonly size: number;
  /** Path of its shard, where clients have some. */
  readonly shard?: string | undefined;
  /** A directory of its own, which is removed afterwards. */
  readonly scratch: string;
}

/** What to run on whom: `command` or `module`, with `data` or `clients`. */
export interface OnClientsCall extends CallOptions {
  /** Program and arguments; `{rank}`, `{size}`, `{shard}`, `{scratch}` and `{result}` stand for what is the client's. */
  readonly command?: readonly string[] | undefined;
  /** A module of JavaScript: its default export takes a {@link AsClient}, and gives what JSON can hold. */
  readonly module?: string | URL | undefined;
  /** Directory of the clients' shards. */
  readonly data?: string | undefined;
  /** How many clients; by default as many as there are shards. */
  readonly clients?: number | undefined;
  /** Commands side by side at most; by default one for each core. */
  readonly jobs?: number | undefined;
  /** Clients that have to succeed, `8` or `80%`; by default all, and the first that fails ends the others. */
  readonly quorum?: string | number | undefined;
  /** How often a command that fails is retried; 0 by default. */
  readonly retries?: number | undefined;
  /** Seconds that a command has. */
  readonly timeoutSeconds?: number | undefined;
  /** Seconds within which all have to be started. */
  readonly startTimeoutSeconds?: number | undefined;
}

/** Their names. */
const OPTIONS = [
  ...['command', 'module', 'data', 'clients', 'jobs', 'quorum', 'retries'],
  ...['timeoutSeconds', 'startTimeoutSeconds'],
] as const;

/**
 * Runs a command or a function once as each client, each in a process of its own, and gives the results in the order of
 * the clients.
 *
 * @throws {StageError} what the first client failed by, where no quorum says how many may
 * @throws {ThresholdError} when so many fail that the quorum is missed
 */
export function runOnClients(options: OnClientsCall): Promise<EachResult> {
  return call(options, async (context) => {
    askedBy(options, [], { takes: OPTIONS });
    const { module, data, clients, jobs, retries, timeoutSeconds } = options;
    if (clients !== undefined) checkedOption('clients', whole({ min: 1 }), clients);
    const command = options.command ?? (module === undefined ? [] : commandOf(module));
    if (command.length === 0 || (options.command !== undefined && module !== undefined))
      throw new UsageError('Expected either command or module, found both or neither.');
    const quorum = options.quorum === undefined ? undefined : parseQuorum(`${options.quorum}`);
    const { callEach } = await import('../pipeline/each.js');
    const tolerance = { quorum, retries, startSeconds: options.startTimeoutSeconds };
    return callEach({ command, data, clients, jobs, timeoutSeconds, ...tolerance }, context);
  });
}

/** Has Node call the module. */
function commandOf(module: string | URL): readonly string[] {
  const program = fileURLToPath(new URL('../each/module-program.js', import.meta.url));
  return [process.execPath, program, typeof module === 'string' ? module : fileURLToPath(module)];
}
