/** `fedbatch k8s sweep`: a sweep whose trials are runs on a cluster, each in a directory of its own on the claim. */
import { Command } from 'commander';
import type { ProgramContext } from '../../lib/cli/program.js';
import { toleranceAsked } from '../../lib/settings/run-settings.js';
import type { Axis } from '../../sweep/axes.js';
import { callSweep } from '../../sweep/call.js';
import { addSweepOptions, type SweepFlags } from '../../sweep/options.js';
import { trialName } from '../../sweep/plan.js';
import type { TrialRunner } from '../../sweep/run-sweep.js';
import {
  addClusterOptions,
  CLUSTER_SETTINGS,
  clusterSettings,
  watchedValues,
  watchingArguments,
} from '../cluster-settings.js';
import { addTemplateOptions, isolateOption } from '../manifests/template-options.js';
import { runName } from './names.js';
import {
  clientsPerPodOption,
  type SharedFlags,
  type SharedOptions,
  scheduleTimeoutOption,
  sharedOptions,
  trainerThreadsOption,
} from './shared-options.js';

const EXAMPLES = `
Examples:
  npx fedbatch k8s sweep --grid learning-rate=0.1,0.01 --grid epochs=1,5 --rounds 10 --storage-class nfs-csi
  npx fedbatch k8s sweep --file sweep.yaml --parallel 4 --median-rule 3 --gpu 1 --cleanup

The same command resumes where an earlier one stopped: finished trials, Jobs and rounds are recognised.`;

/** The command. */
export function k8sSweepCli(context: ProgramContext): Command {
  const command = new Command('sweep')
    .summary('run the whole job on a cluster for each combination of some settings')
    .description('Run the whole job on a cluster once for each combination of some settings, and rank them.');
  addSweepOptions(command, CLUSTER_SETTINGS).optionsGroup('Cluster:');
  return addTemplateOptions(addClusterOptions(command))
    .addOption(trainerThreadsOption())
    .addOption(clientsPerPodOption())
    .addOption(isolateOption())
    .addOption(scheduleTimeoutOption('give up a trial'))
    .option('--cleanup', "delete a trial's Jobs once it is done; its files stay on the volume")
    .addHelpText('after', EXAMPLES)
    .action(async (flags: SweepFlags & SharedFlags) => {
      await callSweep(
        command,
        {
          settings: CLUSTER_SETTINGS,
          settingsOf: async (asked) => clusterSettings(asked),
          runnerOf: ({ plan: { id, axes } }) =>
            clusterTrials({ ...sharedOptions(flags), directory: `sweeps/${id}`, axes }),
        },
        context,
      );
    });
}

/** What the trials of a sweep on a cluster have in common. */
interface ClusterTrials extends SharedOptions {
  readonly axes: readonly Axis[];
  /** Of the sweep on the claim. */
  readonly directory: string;
}

/** Runs trials as Jobs. */
export function clusterTrials({ directory, axes, ...shared }: ClusterTrials): TrialRunner {
  let partOf: object | undefined;
  let siblings: ReadonlySet<string> = new Set();
  return {
    follow({ id, createdAt, trials }) {
      siblings = new Set(trials.map((trial) => runName(trial.id)));
      partOf = { kind: 'sweep', id, createdAt, runs: trials.length };
      // Whoever watches is reached from the pods, and may not be from here.
      return async () => undefined;
    },
    async run(trial, context) {
      const { id, asked, settings } = trial;
      const { runOnCluster } = await import('./run.js');
      const volume = `${directory}/trials/${id}`;
      return await runOnCluster(
        {
          ...{ ...shared, ...toleranceAsked(asked), settings, volume, siblings, isVerbose: false },
          name: trialName(trial, axes),
          values: { ...watchedValues(asked.given), ...shared.values },
          watching: watchingArguments(asked, partOf),
        },
        context,
      );
    },
    // The volume is the cluster's to see; that the trial was finished stands in the record of the sweep.
    holds: async () => true,
    async abandon({ id }, { reporter, signal }) {
      const { findCluster } = await import('../connection/connect.js');
      const { clusterApi } = await import('./cluster-api.js');
      const { deleteRun } = await import('./ensure-job.js');
      const api = await clusterApi(await findCluster(shared.destination), { reporter, signal });
      await deleteRun(runName(id), { ...shared, api, reporter, signal });
    },
  };
}
