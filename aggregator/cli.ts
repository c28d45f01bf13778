/** `fedbatch aggregate`: makes the next global model of client updates. */
import { Command, Option } from 'commander';
import { clientList, integerOption } from '../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { tellResult } from '../lib/cli/result.js';
import { UsageError } from '../lib/core/errors.js';
import { type StrategySettings, strategies } from '../lib/federation/strategies/strategy-settings.js';
import type { AggregateResult } from '../lib/formats/results.js';
import { checkClients } from '../lib/settings/checks.js';
import { type AskedSettings, completeSettings } from '../lib/settings/complete.js';
import { addSettings, askedByFlags, settingOption } from '../lib/settings/options.js';
import { SEED } from '../lib/settings/parts/data.js';
import { STRATEGY } from '../lib/settings/parts/strategy.js';
import { strategySettings } from '../lib/settings/run-settings.js';
import { type Naming, settingOf } from '../lib/settings/setting.js';
import type { AggregateOptions } from './aggregate.js';

interface Flags {
  readonly seed?: number;
  readonly dir?: string;
  readonly group?: string;
  readonly groups?: readonly string[];
  readonly out: string;
  readonly parent?: string;
  readonly round?: number;
  readonly manifest?: string;
  readonly clients?: readonly number[];
  readonly reported?: string;
  readonly minUpdates?: number;
  readonly stateIn?: string;
  readonly stateOut?: string;
  readonly dpParticipants?: number;
  readonly dpPopulation?: number;
  readonly dpNoiseFile?: string;
}

const AVERAGING = strategies
  .flatMap((each) => (each.kind === 'averaging' && each.client?.keeps === undefined ? [each.name] : []))
  .join(', ');
const SETTINGS = { parts: [STRATEGY], stage: 'aggregate' } as const;

const EXAMPLE = `
Examples:
  npx fedbatch aggregate --dir runs/1/rounds/0001/updates --parent runs/1/rounds/0001/global.h5 --out global.h5
  npx fedbatch aggregate --dir runs/1/rounds/0001/updates --reported runs/1/rounds/0001/round.json \\
    --parent runs/1/rounds/0001/global.h5 --out global.h5          nothing but what the clients reported
  npx fedbatch aggregate --dir u2 --parent 2.h5 --out 3.h5 --strategy fedadam --state-in 2.state --state-out 3.state
  npx fedbatch aggregate --dir u1 --parent 1.h5 --out 2.h5 --strategy krum --byzantine 2
  npx fedbatch aggregate --dir site-a --parent 1.h5 --group a --out a.h5
  npx fedbatch aggregate --groups a.h5 b.h5 --parent 1.h5 --out 2.h5

--group writes the exact sums of its updates, in place of a model; --groups makes of them, in any order, the bytes that
all updates at once give. That goes with strategies that average (${AVERAGING}) and
with --clip-norm; give both where groups are made. A group that does not fit the others is an error: nothing is left out.

The last line on stdout is a JSON object: updates, examples, rejected (file and reason), sha256, seconds; with
--state-out also state (its sha256), with privacy also privacy (epsilon after --round rounds of the same settings).
An update is rejected when its names, shapes, dtypes, round or parent differ, when it holds a number that is not
finite, or so large ones that float32 cannot square them, when it lacks what its strategy needs, when it counts no examples, when its client has already
reported, when it is not of --manifest's split or of --clients, and when it is another file than --reported tells.
Exit code 4: fewer good updates than --min-updates.`;

/** The command with its options. */
export function aggregateCli({ reporter, signal }: ProgramContext): Command {
  const command = new Command('aggregate')
    .description('Make the next global model of client updates; by default their mean, weighted by examples')
    .argument(
      '[files...]',
      'updates named one by one; plain Keras models among them count as one example each',
    )
    .option('--dir <dir>', 'directory of client updates: its *.h5 files')
    .option('--group <name>', 'write the sums of these updates, under this name, in place of a model')
    .option('--groups <h5...>', 'files that --group wrote, in place of updates')
    .requiredOption('--out <h5>', 'where the new global model goes')
    .option(
      '--parent <h5>',
      'the global model that the round started from (default: what all updates agree on)',
    )
    .option('--round <r>', 'the round (default: what all updates agree on)', integerOption({ min: 1 }))
    .option(
      '--manifest <json>',
      "the split that the round trains on: only updates of its clients, of their shards' size, count",
    )
    .addOption(
      new Option(
        '--clients <list>',
        'the clients of the round, e.g. 3,7,12: only their updates count, each in --dir as <client>.h5',
      )
        .env('FEDBATCH_CLIENTS')
        .argParser(clientList),
    )
    .option(
      '--reported <json>',
      "the round's record (round.json): only the files in --dir whose sha256 it lists as reported count",
    )
    .option(
      '--min-updates <n>',
      'fewest good updates that make a global model (default: 1; all of --reported, --clients or --manifest)',
      integerOption({ min: 1 }),
    );
  return addSettings(command, SETTINGS)
    .option(
      '--state-in <h5>',
      "the server optimizer's state that belongs to --parent (default: that of a first round)",
    )
    .option('--state-out <h5>', "where the server optimizer's state goes, for the round after this one")
    .option('--dp-participants <m>', 'privacy: clients selected in each round', integerOption({ min: 1 }))
    .option('--dp-population <K>', 'privacy: clients that they are selected from', integerOption({ min: 1 }))
    .option(
      '--dp-noise-file <json>',
      'privacy: where the secret key of the noise lies, and how often it was drawn (default: noise-key.json beside --out)',
    )
    .addOption(settingOption(settingOf(SEED, 'seed'), { stage: 'aggregate' }))
    .addHelpText('after', EXAMPLE)
    .action(async (files: string[], flags: Flags) => {
      const asked = askedByFlags(command, SETTINGS);
      const result = await run(files, { flags, asked }, { reporter, signal });
      reporter.close();
      tellResult(result);
    });
}

/** What the command line gives: options of the aggregation alone, and settings. */
interface Asked {
  readonly flags: Flags;
  readonly asked: AskedSettings;
}

type Context = Pick<ProgramContext, 'reporter' | 'signal'>;

async function run(
  files: readonly string[],
  { flags, asked }: Asked,
  context: Context,
): Promise<AggregateResult> {
  const { dir: directory, group, groups, out: saveFile, parent, round, manifest } = flags;
  const { reported, stateIn, stateOut } = flags;
  const strategy = strategySettings(asked);
  const { seed } = completeSettings([SEED], { ...asked, given: { seed: flags.seed } });
  // An empty list is that of a template that nobody filled in: all clients.
  const selected = flags.clients?.length === 0 ? undefined : flags.clients;
  const privacy = participation(flags, { strategy, named: asked.named });
  const level = { saveFile, parent, round, strategy, ...context };
  // A group has some of the clients: how many, nothing tells.
  const minUpdates = flags.minUpdates ?? 1;
  if (group !== undefined && (stateIn !== undefined || stateOut !== undefined)) {
    throw new UsageError('--state-in and --state-out do not go with --group, which makes no global model.');
  }
  if (groups !== undefined) {
    if (directory === undefined && files.length === 0) {
      const given = reported !== undefined ? '--reported' : manifest !== undefined ? '--manifest' : undefined;
      if (given !== undefined) {
        throw new UsageError(`${given} goes with updates: give it where groups are made, not with --groups.`);
      }
      const { aggregateGroups } = await import('./group.js');
      return aggregateGroups({ ...level, minUpdates, group, groups, stateIn, stateOut });
    }
    throw new UsageError('Expected either --groups or updates (--dir or files), found both.');
  }
  if (directory === undefined && files.length === 0)
    throw new UsageError('Expected --dir, files or --groups, found none of them.');
  if (reported !== undefined && (directory === undefined || files.length > 0)) {
    throw new UsageError('--reported tells the updates of --dir: give --dir with it, and name no files.');
  }
  const updates = { directory, files, manifest, selected, reported };
  // Loaded once the arguments are right; groups, whose files are checked by a schema, only where there are some.
  if (group !== undefined) {
    const { aggregateGroup } = await import('./group.js');
    return aggregateGroup({ ...level, ...updates, minUpdates, group });
  }
  const { aggregate } = await import('./aggregate.js');
  return aggregate({
    ...level,
    ...privacy,
    ...updates,
    minUpdates: flags.minUpdates,
    seed,
    stateIn,
    stateOut,
  });
}

/** Clients selected in a round and in all: what noise is shared among, and what privacy is reckoned with. */
function participation(
  flags: Flags,
  { strategy, named }: { readonly strategy: StrategySettings; readonly named: Naming },
): Pick<AggregateOptions, 'participants' | 'population' | 'noiseFile'> {
  const { dpParticipants: participants, dpPopulation: population, dpNoiseFile: noiseFile } = flags;
  if (strategy.privacy === undefined) {
    if (participants === undefined && population === undefined && noiseFile === undefined) return {};
    throw new UsageError(
      '--dp-participants, --dp-population and --dp-noise-file go with --dp-clip and --dp-noise alone.',
    );
  }
  if (participants === undefined || population === undefined) {
    throw new UsageError('Differential privacy takes --dp-participants and --dp-population too.');
  }
  checkClients(strategy, { selected: participants, clients: population }, named);
  if (participants <= population) return { participants, population, noiseFile };
  throw new UsageError(
    `--dp-participants ${participants} cannot be selected from --dp-population ${population}.`,
  );
}

if (isMain(import.meta.url)) await runProgram(aggregateCli, process.argv.slice(2));
