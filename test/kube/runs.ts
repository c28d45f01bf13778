/** Starts `fedbatch k8s` as users do, against a cluster of the tests. */
import { execa } from 'execa';
import { z } from 'zod';
import { programPath } from '../programs.js';
import type { FakeCluster } from './cluster.js';

/** Settings of a run that takes seconds; one thread, so that its bytes are the same everywhere. */
export const SETTINGS: readonly string[] = [
  ...['--model', 'mlp', '--rounds', '2', '--epochs', '1', '--batch', '20', '--threads', '1'],
];

/** What the JSON line of a run says, as far as tests read it. */
export const LINE = z.object({
  accuracy: z.number(),
  rounds: z.int(),
  sha256: z.string(),
  volume: z.string(),
  participation: z.object({ selected: z.int(), missing: z.int(), rejected: z.int() }),
});

/** Starts any subcommand of `fedbatch k8s`. */
export function kube({ kubeconfig }: Pick<FakeCluster, 'kubeconfig'>, args: readonly string[]) {
  return execa(process.execPath, [programPath('cli'), 'k8s', ...args], {
    reject: false,
    env: { KUBECONFIG: kubeconfig },
  });
}

/** Starts a run of the tiny dataset on the claim. */
export function kubeRun(cluster: Pick<FakeCluster, 'kubeconfig'>, more: readonly string[]) {
  return kube(cluster, ['run', '--data', '/mnt/tiny.npz', ...SETTINGS, '--json', ...more]);
}
