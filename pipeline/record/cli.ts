/** `fedbatch record`: writes a run's records onto its volume, for a pipeline that cannot: the one of a cluster. */
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { clientList, integerOption } from '../../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../../lib/cli/program.js';
import { tellResult } from '../../lib/cli/result.js';
import { UsageError } from '../../lib/core/errors.js';
import { volumePaths } from '../../lib/formats/volume.js';
import { addSettings, askedByFlags } from '../../lib/settings/options.js';
import { WATCHING } from '../../lib/settings/parts/watching.js';

/** Who watches a run hears what is put on record. */
const SETTINGS = { parts: [WATCHING], stage: 'record' } as const;

const STEPS = ['open', 'placed', 'gathered', 'trained', 'tested', 'end', 'failed'] as const;

interface RecordFlags {
  readonly volume: string;
  readonly facts?: string;
  readonly step: (typeof STEPS)[number];
  readonly fresh?: boolean;
  readonly places?: boolean;
  readonly partOf?: string;
  readonly round?: number;
  readonly clients?: readonly number[];
  readonly remember?: boolean;
}

const EXAMPLES = `
Examples:
  npx fedbatch record --step open --volume /mnt/runs/a --facts run.json        take the volume, list what is done
  npx fedbatch record --step placed --volume /mnt/runs/a --facts none.json     what each client's pod will see of it
  npx fedbatch record --step trained --volume /mnt/runs/a --facts round.json   who reported, who is missing

npx fedbatch k8s run starts it inside the cluster, beside the stages; the facts are JSON that it makes. The last line on
stdout is a JSON object. Workflows of other targets keep no records: --round and --clients tell it for whom it lays out
places (placed) and from whom it takes updates (gathered).`;

/** The command of the recorder. */
export function recordCli({ reporter, signal }: ProgramContext): Command {
  const command = new Command('record').description(
    'Write run.json, round.json, metrics.jsonl, the result files and the report of a run onto its volume.',
  );
  return addSettings(command, SETTINGS)
    .addOption(
      new Option('--step <name>', 'which part of a run is on record now')
        .choices(STEPS)
        .makeOptionMandatory(),
    )
    .requiredOption('--volume <dir>', "directory of the run's files")
    .option('--facts <json>', 'what there is to record')
    .option(
      '--round <number>',
      'with placed and gathered, where no records are kept: the round',
      integerOption({ min: 1 }),
    )
    .option(
      '--clients <list>',
      'its clients in the order of their places, e.g. 0,2; without it all places go',
      clientList,
    )
    .option('--remember', 'with placed: its clients go on from what they and the server kept')
    .option('--fresh', 'with open: start over, remove the files of the run in the volume')
    .option('--places', "with tested: lay out the next round's clients' places, as the step placed does")
    .option('--part-of <json>', 'the sweep that the run is a trial of, for those who watch it')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: RecordFlags) => {
      const { volume, facts, step, fresh = false, places = false, partOf } = flags;
      const { round, clients = [], remember = false } = flags;
      if (step === 'gathered' || (step === 'placed' && round !== undefined)) {
        if (round === undefined) throw new UsageError(`--step ${step}: expected --round, found none.`);
        const { gatherUpdates, layNamedPlaces } = await import('./places.js');
        const paths = volumePaths(resolve(volume));
        if (step === 'gathered') await gatherUpdates(paths, { round, selected: clients });
        else await layNamedPlaces(paths, { round, clients, remembers: remember });
        reporter.close();
        return tellResult({ step, round });
      }
      if (facts === undefined) throw new UsageError(`--step ${step}: expected --facts, found none.`);
      const { recordStep } = await import('./record-step.js');
      const { given } = askedByFlags(command, SETTINGS);
      const result = await recordStep(step, {
        ...{ volume: resolve(volume), facts, fresh, places, reporter, signal },
        watching: { given, partOf },
      });
      reporter.close();
      tellResult(result);
    });
}

if (isMain(import.meta.url)) await runProgram(recordCli, process.argv.slice(2));
