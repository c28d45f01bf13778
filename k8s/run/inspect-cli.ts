/** `fedbatch k8s status`, `logs` and `delete`: what a cluster holds of runs. */
import { Command } from 'commander';
import { integerOption } from '../../lib/cli/options.js';
import type { ProgramContext } from '../../lib/cli/program.js';
import { say, sayResult } from '../../lib/cli/result.js';
import type { DeletedRun } from '../../lib/formats/run-results.js';
import { addClusterOptions, type ClusterFlags, destinationOf } from '../cluster-settings.js';
import type { ClusterApi } from './cluster-api.js';
import { runName } from './names.js';

/** Pods have 30 s to end; what is there so long after is on a node that is lost. */
const GONE_MS = 300_000;

interface RunFlag extends ClusterFlags {
  readonly run?: string;
}

interface LogsFlags extends ClusterFlags {
  readonly run: string;
  readonly stage?: string;
  readonly round?: number;
  readonly index?: number;
  readonly lines: number;
  readonly follow?: boolean;
}

/** Shows the Jobs of runs. */
export function statusCli(context: ProgramContext): Command {
  return withCluster(new Command('status'))
    .summary("show the runs' Jobs")
    .description('Show the state of the runs in a namespace, Job by Job.')
    .option('--run <id>', 'one run alone')
    .option('--json', 'print one JSON line')
    .addHelpText('after', '\nExample:\n  npx fedbatch k8s status --run digits-3x2-1a2b3c4d')
    .action(async (flags: RunFlag & { readonly json?: true }) => {
      const { describeJobs, jobsOfRuns } = await import('./status.js');
      const rows = await jobsOfRuns(await connect(flags, context), flags.run && runName(flags.run));
      sayResult(rows, () => (rows.length === 0 ? 'There are no runs.' : describeJobs(rows)), flags.json);
    });
}

/** Shows the logs of a run's pods. */
export function logsCli(context: ProgramContext): Command {
  return withCluster(new Command('logs'))
    .summary("show what a run's pods have written")
    .description("Show the logs of a run's pods, each line behind the names of pod and container.")
    .requiredOption('--run <id>', 'the run')
    .option('--stage <name>', 'start, init, train, aggregate, evaluate or end alone')
    .option('--round <r>', 'one round alone', integerOption({ min: 1 }))
    .option('--index <i>', 'one completion index of the trainers alone', integerOption())
    .option('--lines <count>', 'last lines of each log', integerOption({ min: 1 }), 100)
    .option('--follow', 'print new lines until the pods end')
    .addHelpText(
      'after',
      '\nExample:\n  npx fedbatch k8s logs --run digits-3x2-1a2b3c4d --stage train --round 1 --follow',
    )
    .action(async ({ follow = false, ...flags }: LogsFlags) => {
      const { printLogs } = await import('./logs.js');
      const query = { ...flags, run: runName(flags.run), follows: follow };
      await printLogs(await connect(flags, context), query, { print: say, signal: context.signal });
    });
}

/** Deletes what a run left in the cluster. */
export function deleteCli(context: ProgramContext): Command {
  return withCluster(new Command('delete'))
    .summary('stop a run and delete its Jobs')
    .description('Stop a run if it is running, and delete its Jobs; its files stay on the volume.')
    .requiredOption('--run <id>', 'the run')
    .addHelpText('after', '\nExample:\n  npx fedbatch k8s delete --run digits-3x2-1a2b3c4d')
    .action(async (flags: RunFlag & { readonly run: string }) => {
      const { deleteRun } = await import('./ensure-job.js');
      const { reporter, signal } = context;
      const api = await connect(flags, context);
      const scheduleTimeoutMs = GONE_MS;
      const jobs = await deleteRun(runName(flags.run), { api, reporter, signal, scheduleTimeoutMs });
      if (jobs === 0) await api.requireNamespace();
      reporter.info(
        `Deleted ${jobs} Job${jobs === 1 ? '' : 's'} of the run ${flags.run}; its files stay on the volume.`,
      );
      const result: DeletedRun = { run: flags.run, jobs };
      process.stdout.write(`${JSON.stringify(result)}\n`);
    });
}

function withCluster(command: Command): Command {
  return addClusterOptions(command).option('--namespace <name>', 'namespace (default: that of the context)');
}

async function connect(flags: ClusterFlags, context: ProgramContext): Promise<ClusterApi> {
  const { findCluster } = await import('../connection/connect.js');
  const { clusterApi } = await import('./cluster-api.js');
  return clusterApi(await findCluster(destinationOf(flags)), context);
}
