/** `fedbatch aggregate`: makes the next global model of client updates. */
import { Command } from 'commander';
import { isMain } from '../lib/cli/is-main.js';
import { integerOption } from '../lib/cli/options.js';
import { type ProgramContext, runProgram } from '../lib/cli/program.js';
import { tellResult } from '../lib/cli/result.js';
import { addStrategyOptions, type StrategyFlags, strategyOf } from '../lib/cli/strategy-options.js';
import { UsageError } from '../lib/federation/errors.js';
import { checkClients } from '../lib/federation/strategies/strategy-settings.js';
import { aggregate } from './aggregate.js';

interface Flags extends StrategyFlags {
  readonly dir?: string;
  readonly savefile: string;
  readonly parent?: string;
  readonly round?: number;
  readonly manifest?: string;
  readonly minUpdates?: number;
  readonly stateIn?: string;
  readonly stateOut?: string;
  readonly seed: number;
  readonly dpParticipants?: number;
  readonly dpPopulation?: number;
}

const EXAMPLE = `
Examples:
  fedbatch aggregate --dir runs/1/rounds/0001/updates --parent runs/1/rounds/0001/global.h5 --savefile global.h5
  fedbatch aggregate --dir u2 --parent 2.h5 --savefile 3.h5 --strategy fedadam --state-in 2.state --state-out 3.state
  fedbatch aggregate --dir u1 --parent 1.h5 --savefile 2.h5 --strategy krum --byzantine 2

The last line on stdout is a JSON object: updates, examples, rejected (file and reason), sha256, seconds; with
--state-out also state (its sha256), with privacy also privacy (epsilon after --round rounds of the same settings).
An update is rejected when its names, shapes, dtypes, round or parent differ, when it holds a number that is not
finite, when it counts no examples, when its client has already reported, and when it is not of --manifest's split.
Exit code 4: fewer good updates than --min-updates.`;

/** The command with its options. */
export function aggregateCommand({ reporter, signal }: ProgramContext): Command {
  const command = new Command('aggregate')
    .description('Make the next global model of client updates; by default their mean, weighted by examples')
    .argument(
      '[files...]',
      'updates named one by one; plain Keras models among them count as one example each',
    )
    .option('--dir <dir>', 'directory of client updates: its *.h5 files')
    .requiredOption('--savefile <h5>', 'where the new global model goes')
    .option(
      '--parent <h5>',
      'the global model that the round started from (default: what all updates agree on)',
    )
    .option('--round <r>', 'the round (default: what all updates agree on)', integerOption({ min: 1 }))
    .option(
      '--manifest <json>',
      "the split that the round trains on: only updates of its clients, of their shards' size, count",
    )
    .option(
      '--min-updates <n>',
      'fewest good updates that make a global model (default: 1; with --manifest all of its clients)',
      integerOption({ min: 1 }),
    );
  return addStrategyOptions(command)
    .option(
      '--state-in <h5>',
      "the server optimizer's state that belongs to --parent (default: that of a first round)",
    )
    .option('--state-out <h5>', "where the server optimizer's state goes, for the round after this one")
    .option('--dp-participants <m>', 'privacy: clients selected in each round', integerOption({ min: 1 }))
    .option('--dp-population <K>', 'privacy: clients that they are selected from', integerOption({ min: 1 }))
    .option('--seed <number>', 'of --dp-noise-source seed', integerOption(), 0)
    .addHelpText('after', EXAMPLE)
    .action(async (files: string[], flags: Flags) => {
      const { dir, savefile, parent, round, manifest, minUpdates, seed, stateIn, stateOut } = flags;
      if (dir === undefined && files.length === 0)
        throw new UsageError('Expected --dir or files, found neither.');
      const result = await aggregate({
        directory: dir,
        files,
        saveFile: savefile,
        parent,
        round,
        manifest,
        minUpdates,
        strategy: strategyOf(flags),
        ...participation(flags),
        seed,
        stateIn,
        stateOut,
        reporter,
        signal,
      });
      reporter.close();
      tellResult(result);
    });
}

/** Clients selected in a round and in all: what noise is shared among, and what privacy is reckoned with. */
function participation(flags: Flags): { readonly participants?: number; readonly population?: number } {
  const { dpClip, dpParticipants: participants, dpPopulation: population } = flags;
  if (dpClip === undefined) {
    if (participants === undefined && population === undefined) return {};
    throw new UsageError('--dp-participants and --dp-population go with --dp-clip and --dp-noise alone.');
  }
  if (participants === undefined || population === undefined) {
    throw new UsageError('Differential privacy takes --dp-participants and --dp-population too.');
  }
  checkClients(strategyOf(flags), { selected: participants, clients: population });
  if (participants <= population) return { participants, population };
  throw new UsageError(
    `--dp-participants ${participants} cannot be selected from --dp-population ${population}.`,
  );
}

if (isMain(import.meta.url)) await runProgram(aggregateCommand, process.argv.slice(2));
