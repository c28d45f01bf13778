/** `fedbatch k8s each`: arguments of a command of the user's own on all clients of a cluster. */
import { Command } from 'commander';
import { integerOption } from '../../lib/cli/options.js';
import type { ProgramContext } from '../../lib/cli/program.js';
import { leaveResult, sayResult, wantsJson } from '../../lib/cli/result.js';
import { addEachOptions, type EachFlags, toleranceOf } from '../../pipeline/rounds/each-options.js';
import { addClusterOptions, type ClusterFlags, destinationOf, directoryOf } from '../cluster-settings.js';
import { addTemplateOptions, type TemplateFlags } from '../manifests/template-options.js';
import { valuesOfCommand } from './shared-options.js';

interface KubeEachFlags extends EachFlags, TemplateFlags, ClusterFlags {
  readonly clients: number;
  readonly logs?: true;
  readonly cleanup?: true;
}

const EXAMPLES = `
The pods are those of trainers, with what lies in their image. One with your
program in it is made FROM fedbatch/trainer: --set TRAINER_IMAGE=… names it.
npx fedbatch as-client --help tells what the command finds of the client's.

Examples:
  npx fedbatch k8s each --clients 3 --data runs/first/data -- node /mnt/count.mjs {shard}
  npx fedbatch k8s each --clients 10 --set TRAINER_IMAGE=team/measure:1 --quorum 80% --json -- ./measure`;

/** How long pods may wait to start where nothing is said. */
const START_SECONDS = 300;

/** The command. */
export function k8sEachCli({ reporter, signal }: ProgramContext): Command {
  const command = new Command('each')
    .summary('run a command of your own once as each client')
    .description(
      'Run a command of your own once as each client, a pod for each, and gather its results in order.',
    )
    .optionsGroup('Clients:')
    .requiredOption('--clients <count>', 'how many clients there are', integerOption({ min: 1 }))
    .option('--data <dir>', 'directory of the shards on the claim, e.g. runs/first/data')
    .optionsGroup('Cluster:');
  addTemplateOptions(addClusterOptions(command));
  return addEachOptions(command)
    .option('--logs', 'show the logs of all pods')
    .option('--cleanup', 'delete the Job once it is done')
    .addHelpText('after', EXAMPLES)
    .action(async (words: readonly string[], flags: KubeEachFlags) => {
      const { clients: size, timeout: timeoutSeconds, startTimeout = START_SECONDS } = flags;
      const data = flags.data === undefined ? undefined : `/mnt/${directoryOf(flags.data, '--data')}`;
      const { startSeconds: _, ...tolerance } = toleranceOf(flags);
      const { eachOnCluster } = await import('./each.js');
      const { eachSummary } = await import('../../pipeline/rounds/on-clients.js');
      const result = await eachOnCluster(
        {
          task: { command: words, size, data, timeoutSeconds },
          ...{ tolerance, values: valuesOfCommand(flags), destination: destinationOf(flags) },
          queue: flags.queue,
          scheduleTimeoutMs: startTimeout * 1000,
          isVerbose: flags.logs ?? false,
          cleansUp: flags.cleanup ?? false,
        },
        { reporter, signal },
      );
      sayResult(result, () => eachSummary(result), wantsJson(flags));
      leaveResult(result);
    });
}
