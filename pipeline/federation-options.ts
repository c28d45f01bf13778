/** Options of `fedbatch run` about rounds: who takes part, failure tolerance, when to stop. */
import { type Command, InvalidArgumentError } from 'commander';
import { integerOption, numberOption } from '../lib/cli/options.js';
import { checkStopRules } from '../lib/federation/early-stop.js';
import { checkParticipation, parseQuorum, type Quorum } from '../lib/federation/participation.js';
import type { RunSettings } from '../lib/formats/run-record.js';
import type { Tolerance } from './local-run.js';
import { DEFAULT_CLIENTS } from './number-of-clients.js';

/** What they parse to. */
export interface FederationFlags {
  readonly clients?: number;
  readonly rounds: number;
  readonly fraction: number;
  readonly minClients?: number;
  readonly quorum?: Quorum;
  readonly roundDeadline?: number;
  readonly retries: number;
  readonly targetAccuracy?: number;
  readonly patience?: number;
}

/** A day: a timer of Node's takes 24 of them at most. */
const MAX_DEADLINE_SECONDS = 86_400;

/** Adds the options to `command`. */
export function addFederationOptions(command: Command): Command {
  return command
    .option(
      '--clients <count>',
      `number of clients, K (default: ${DEFAULT_CLIENTS}; with --partition by-key or given as many as the data say)`,
      integerOption({ min: 1 }),
    )
    .option(
      '--rounds <count>',
      'rounds of federated averaging at most; a finished run resumes where more are asked for',
      integerOption({ min: 1 }),
      1,
    )
    .option(
      '--fraction <share>',
      'share of the clients that each round selects at random, C: above 0, up to 1',
      numberOption(),
      1,
    )
    .option(
      '--min-clients <count>',
      'fewest clients that a round selects, whatever the fraction comes to (default: 1)',
      integerOption({ min: 1 }),
    )
    .option(
      '--quorum <number>',
      'good updates without which a round fails, with exit code 4: a number (8) or a share of the selected clients ' +
        '(0.8, 80%) (default: all, and the first client that fails ends the run)',
      quorumOption,
    )
    .option(
      '--round-deadline <seconds>',
      "a round's clients that are not done by then are stopped and count as missing (default: none)",
      deadlineOption,
    )
    .option('--retries <count>', 'how often a client whose training fails is tried again', integerOption(), 1)
    .option(
      '--target-accuracy <share>',
      'stop after the first round with this accuracy, 0 to 1 (default: none)',
      numberOption({ min: 0, max: 1 }),
    )
    .option(
      '--patience <rounds>',
      'stop after so many rounds in a row without a better accuracy (default: none)',
      integerOption({ min: 1 }),
    );
}

/** The settings that the flags make. @throws {UsageError} when they contradict each other, with the numbers */
export function federationOf(
  flags: FederationFlags & { readonly clients: number },
): Omit<RunSettings['federation'], 'partition'> {
  const { clients, rounds, fraction, minClients, targetAccuracy, patience } = flags;
  const selection = checkParticipation({ clients, fraction, minClients }, flags.quorum);
  checkStopRules({ rounds, patience });
  return {
    ...selection,
    rounds,
    ...(targetAccuracy === undefined ? {} : { targetAccuracy }),
    ...(patience === undefined ? {} : { patience }),
  };
}

/** The run's failure tolerance. */
export function toleranceOf({ retries, roundDeadline }: FederationFlags): Tolerance {
  return { retries, deadlineSeconds: roundDeadline };
}

function quorumOption(text: string): Quorum {
  const quorum = parseQuorum(text);
  if (quorum !== undefined) return quorum;
  throw new InvalidArgumentError(
    `Expected a number of updates from 1 (8) or a share above 0, up to 1 (0.8, 80%), found "${text}".`,
  );
}

function deadlineOption(text: string): number {
  const seconds = numberOption({ min: 0, max: MAX_DEADLINE_SECONDS })(text);
  if (seconds > 0) return seconds;
  throw new InvalidArgumentError(`Expected a number above 0, found "${text}".`);
}
