/** Starts `fedbatch k8s` as users do, against a cluster of the tests. */
import assert from 'node:assert/strict';
import { execa } from 'execa';
import { z } from 'zod';
import { lastLine, programPath } from '../programs.js';
import type { FakeCluster } from './cluster.js';

/** Settings of a run that takes seconds; one thread, so that its bytes are the same everywhere; clients are tested, too. */
export const SETTINGS: readonly string[] = [
  ...['--clients', '2', '--client-holdout', '0.2', '--model', 'mlp', '--rounds', '2'],
  ...['--epochs', '1', '--batch', '20', '--threads', '1'],
];

const lineSchema = z.object({
  accuracy: z.number(),
  rounds: z.int(),
  sha256: z.string(),
  volume: z.string(),
  acrossClients: z.object({
    before: z.record(z.string(), z.unknown()),
    after: z.record(z.string(), z.unknown()),
    global: z.record(z.string(), z.unknown()),
  }),
  perClient: z.array(z.looseObject({ client: z.int(), examples: z.int(), loss: z.number() })).length(2),
  participation: z.object({ selected: z.int(), missing: z.int(), rejected: z.int() }),
});

type Target = Pick<FakeCluster, 'kubeconfig'>;

/** Starts any subcommand of `fedbatch k8s`. */
export function kube({ kubeconfig }: Target, args: readonly string[]) {
  return execa(process.execPath, [programPath('cli'), 'k8s', ...args], {
    reject: false,
    env: { KUBECONFIG: kubeconfig },
  });
}

/** Starts a run of the tiny dataset on the claim. */
export function kubeRun(cluster: Target, more: readonly string[]) {
  return kube(cluster, ['run', '--data', '/mnt/tiny.npz', ...SETTINGS, '--json', ...more]);
}

/** The JSON line of a run that ends well, and what it told on the way. */
export async function finishKubeRun(cluster: Target, more: readonly string[]) {
  const { exitCode, stdout, stderr } = await kubeRun(cluster, more);
  assert.equal(exitCode, 0, stderr);
  return { ...lineSchema.parse(JSON.parse(lastLine(stdout))), stderr };
}

/** Of a finished run: `status` lists its Jobs, `logs` what one of its trainers printed, and `delete` removes it. */
export async function tellsAndDeletes(cluster: Target): Promise<void> {
  const { stdout } = await kube(cluster, ['status', '--json']);
  const rows = z.array(z.looseObject({ state: z.string(), run: z.string() })).parse(JSON.parse(stdout));
  assert.ok(rows.length >= 8 && rows.every(({ state }) => state === 'complete'), stdout);
  const run = rows[0]?.run ?? '';
  const asked = ['--run', run, '--stage', 'train', '--round', '2', '--index', '1'];
  const logs = await kube(cluster, ['logs', ...asked]);
  assert.match(logs.stdout, /-r0002-train-1-\w+ trainer: \{.*"client":1/);
  const deleted = await kube(cluster, ['delete', '--run', run]);
  assert.equal(deleted.exitCode, 0, deleted.stderr);
}
