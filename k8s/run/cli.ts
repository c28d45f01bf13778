/** `fedbatch k8s run`: arguments of a run on a cluster. */

import { Command } from 'commander';
import { jsonOption, minAccuracyOption, minMetricOption, nameOption } from '../../lib/cli/options.js';
import type { ProgramContext } from '../../lib/cli/program.js';
import { leaveResult, type OutcomeFlags, outcomeWriter } from '../../lib/cli/result.js';
import type { Threshold } from '../../lib/federation/metrics.js';
import { askedByFlagsAndFile } from '../../lib/settings/config-file.js';
import { addSettings } from '../../lib/settings/options.js';
import { toleranceAsked } from '../../lib/settings/run-settings.js';
import { missedRequirement } from '../../pipeline/rounds/run-failure.js';
import {
  addClusterOptions,
  CLUSTER_SETTINGS,
  clusterSettings,
  directoryOf,
  watchedValues,
  watchingArguments,
} from '../cluster-settings.js';
import { addTemplateOptions, isolateOption } from '../manifests/template-options.js';
import {
  clientsPerPodOption,
  type SharedFlags,
  scheduleTimeoutOption,
  sharedOptions,
  trainerThreadsOption,
} from './shared-options.js';

interface RunFlags extends SharedFlags, OutcomeFlags {
  readonly volume?: string;
  readonly name?: string;
  readonly minAccuracy?: number;
  readonly minMetric?: Threshold;
  readonly logs?: true;
}

const EXAMPLES = `
Examples:
  npx fedbatch k8s run --storage-class nfs-csi                       generated digits, 3 clients, 1 round
  npx fedbatch k8s run --data mnist --clients 10 --rounds 5 --gpu 1  a GPU for each trainer
  npx fedbatch k8s run --data /mnt/datasets/mine.npz --clients 100 --fraction 0.1 --quorum 80% --rounds 50
  npx fedbatch k8s run --json --min-accuracy 0.97 --cleanup          for scripts

The same command resumes where an earlier one stopped: finished Jobs and rounds are recognised.`;

/** The command. */
export function k8sRunCli({ reporter, signal }: ProgramContext): Command {
  const command = new Command('run')
    .summary('run the whole job on a cluster')
    .description(
      'Run the whole job on a cluster: every stage as a Job, the clients of a round side by side.',
    );
  addSettings(command, CLUSTER_SETTINGS).optionsGroup('Cluster:');
  addTemplateOptions(addClusterOptions(command));
  return command
    .option('--volume <dir>', "directory of the run's files on the claim (default: runs/<run id>)")
    .addOption(trainerThreadsOption())
    .addOption(clientsPerPodOption())
    .addOption(isolateOption())
    .addOption(scheduleTimeoutOption('give up'))
    .addOption(minAccuracyOption())
    .addOption(minMetricOption())
    .addOption(nameOption())
    .option('--logs', 'show the logs of all pods')
    .option('--cleanup', "delete the run's Jobs once it is done; its files stay on the volume")
    .addOption(jsonOption())
    .option('--fresh', 'start over: remove the files of the run in the directory')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: RunFlags) => {
      const { minAccuracy, minMetric, volume } = flags;
      const asked = await askedByFlagsAndFile(command, CLUSTER_SETTINGS);
      const settings = clusterSettings(asked);
      const shared = sharedOptions(flags);
      const { runOnCluster } = await import('./run.js');
      const { resultFacts, runOutcome } = await import('../../pipeline/rounds/summary.js');
      const result = await runOnCluster(
        {
          ...{ ...shared, ...toleranceAsked(asked), settings, minAccuracy, minMetric },
          name: flags.name,
          values: { ...watchedValues(asked.given), ...shared.values },
          watching: watchingArguments(asked),
          volume: volume === undefined ? undefined : directoryOf(volume),
          isVerbose: flags.logs ?? false,
        },
        { reporter, signal },
      );
      outcomeWriter(reporter, flags).tell(runOutcome(result));
      leaveResult(resultFacts(result));
      const missed = missedRequirement(result.last.evaluation, { minAccuracy, minMetric });
      if (missed !== undefined) throw missed;
    });
}
