/** The options of every command that talks to a cluster. */
import type { Command } from 'commander';
import type { Destination } from '../connection/connect.js';

/** What they parse to; `--namespace` is an option of the templates, too. */
export interface ClusterFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
}

/** Adds `--kubeconfig` and `--context`. */
export function addClusterOptions(command: Command): Command {
  return command
    .option(
      '--kubeconfig <file>',
      'how to reach the cluster (default: KUBECONFIG, ~/.kube/config, or that of the pod)',
    )
    .option('--context <name>', 'context of the kubeconfig (default: its current one)');
}

/** Where the flags lead. */
export function destinationOf({ kubeconfig, context, namespace }: ClusterFlags): Destination {
  return { kubeconfig, context, namespace };
}
