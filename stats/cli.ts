/** `fedbatch stats`: what the clients' examples are like, from sums and counts that each client tells of its own. */
import { Command } from 'commander';
import { integerOption } from '../lib/cli/options.js';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { sayResult } from '../lib/cli/result.js';
import { LATEST } from '../lib/formats/volume.js';

interface StatsFlags {
  readonly client?: string;
  readonly bins: number;
  readonly minClientsPerStatistic: number;
  readonly json?: true;
}

/** Bins of a histogram where nothing else is asked for. */
const DEFAULT_BINS = 100;
const MOST_BINS = 10_000;

/** The command of the statistics. */
export function statsCli({ reporter, signal }: ProgramContext): Command {
  return new Command('stats')
    .description(
      "Tell mean, deviation, bounds, quantiles and categories of the clients' examples. No row leaves its client: each " +
        'tells sums and counts of its own, and these are added up exactly.',
    )
    .argument(
      '<source>',
      `a run (its volume, name or id, or ${LATEST}), a directory of shards, or data as --data takes them`,
    )
    .option('--client <column>', 'of data that are not split: the column or array that says whose a row is')
    .option(
      '--bins <count>',
      'bins of each histogram',
      integerOption({ min: 1, max: MOST_BINS }),
      DEFAULT_BINS,
    )
    .option(
      '--min-clients-per-statistic <clients>',
      'clients that have to stand behind each statistic: others are left out or put together',
      integerOption({ min: 1 }),
      1,
    )
    .option('--json', 'tell it as a line of JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  npx fedbatch stats runs/sales-3x2-1a2b3c4d\n  npx fedbatch stats sales.csv --client shop\n' +
        '  npx fedbatch stats hospitals/ --min-clients-per-statistic 3 --json',
    )
    .action(async (source: string, { json, client, bins, minClientsPerStatistic: fewest }: StatsFlags) => {
      // Readers and schemas are loaded only when there is work, so that --help comes at once.
      const { openClients } = await import('./clients.js');
      const { collectStatistics } = await import('./collect.js');
      const { statisticsText } = await import('./text.js');
      const clients = await openClients({ source, client, reporter, signal });
      const result = await collectStatistics(clients, { fewest, bins, reporter, signal });
      reporter.close();
      sayResult(result, () => statisticsText(result), json);
    });
}

if (isMain(import.meta.url)) await runProgram(statsCli, process.argv.slice(2));
