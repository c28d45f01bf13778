/** `fedbatch aggregate`: makes the next global model of client updates. */
import { Command, Option } from 'commander';
import { clientList, hashOption, integerOption } from '../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { tellResult } from '../lib/cli/result.js';
import { strategies } from '../lib/federation/strategies/strategy-settings.js';
import { measured } from '../lib/prometheus/watched-stage.js';
import { addSettings, askedByFlags, settingOption } from '../lib/settings/options.js';
import { SEED } from '../lib/settings/parts/data.js';
import { WATCHING } from '../lib/settings/parts/watching.js';
import { settingOf } from '../lib/settings/setting.js';
import { AGGREGATE_PARTS, type AggregateAsked, callAggregator } from './call.js';

type Flags = Omit<AggregateAsked, 'asked' | 'files'>;

const AVERAGING = strategies
  .flatMap((each) => (each.kind === 'averaging' && each.client?.keeps === undefined ? [each.name] : []))
  .join(', ');
const SETTINGS = { parts: [...AGGREGATE_PARTS, WATCHING], stage: 'aggregate' } as const;

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
Exit code 4: fewer valid updates than --min-updates.`;

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
    .addOption(
      hashOption('--parent-sha256 <hash>', 'what the file of --parent has to be: another one is refused'),
    )
    .option('--round <r>', 'the round (default: what all updates agree on)', integerOption({ min: 1 }))
    .option(
      '--manifest <json>',
      "the split that the round trains on: only updates of its clients, of their shards' size, count",
    )
    .addOption(
      new Option(
        '--clients <list>',
        'the clients of the round, e.g. 3,7,12 or 0-99: only their updates count, each in --dir as <client>.h5',
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
      'fewest valid updates for a global model (default: 1; all of --reported, --clients or --manifest)',
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
      'privacy: the file with the secret key of the noise and its draws (default: noise-key.json beside --out)',
    )
    .addOption(settingOption(settingOf(SEED, 'seed'), { stage: 'aggregate' }))
    .addHelpText('after', EXAMPLE)
    .action(async (files: string[], flags: Flags) => {
      const asked = askedByFlags(command, SETTINGS);
      const result = await measured('aggregate', { ...asked, reporter }, (told) =>
        callAggregator({ ...flags, files, asked }, { reporter: told, signal }),
      );
      reporter.close();
      tellResult(result, ['clients']);
    });
}

if (isMain(import.meta.url)) await runProgram(aggregateCli, process.argv.slice(2));
