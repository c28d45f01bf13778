/** Options of a command on all clients that every target has, and what they ask for. */
import type { Command } from 'commander';
import { integerOption, jsonOption, numberOption } from '../../lib/cli/options.js';
import type { OutcomeFlags } from '../../lib/cli/result.js';
import { MAX_TIMER_SECONDS } from '../../lib/core/timers.js';
import { parseQuorum } from '../../lib/federation/quorum.js';
import { parseOption } from '../../lib/settings/options.js';
import { TOLERANCE } from '../../lib/settings/parts/federation.js';
import { settingOf } from '../../lib/settings/setting.js';
import type { EachTolerance } from './on-clients.js';

/** What is given of them. */
export interface EachFlags extends OutcomeFlags {
  readonly data?: string;
  readonly clients?: number;
  readonly quorum?: string;
  readonly retries: number;
  readonly timeout?: number;
  readonly startTimeout?: number;
}

/** Adds them. */
export function addEachOptions(command: Command): Command {
  const { type: quorum } = settingOf(TOLERANCE, 'tolerance.quorum');
  return command
    .argument('<command...>', 'the program and its arguments, behind --')
    .optionsGroup('Failure tolerance:')
    .option(
      '--quorum <number>',
      'clients that have to succeed, else exit code 4: a number (8) or a share (0.8, 80%) (default: all, and the first that fails ends the others)',
      (text) => `${parseOption(quorum, text)}`,
    )
    .option('--retries <count>', 'how often a command that fails is retried', integerOption({ min: 0 }), 0)
    .option(
      '--timeout <seconds>',
      'a command that is not done by then has failed',
      numberOption({ above: 0, max: MAX_TIMER_SECONDS }),
    )
    .option(
      '--start-timeout <seconds>',
      'a client whose command has not been started by then has failed',
      numberOption({ above: 0 }),
    )
    .optionsGroup('Result:')
    .addOption(jsonOption());
}

/** Which failures are tolerated. */
export const toleranceOf = ({ quorum, retries, startTimeout: startSeconds }: EachFlags): EachTolerance => ({
  quorum: quorum === undefined ? undefined : parseQuorum(quorum),
  ...{ retries, startSeconds },
});
