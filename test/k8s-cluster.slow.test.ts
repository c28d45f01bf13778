/** `fedbatch k8s run` on the cluster that KUBECONFIG leads to: npm run test:cluster. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { finishKubeRun, kube } from './kube/runs.js';

const { KUBECONFIG: kubeconfig = '', FEDBATCH_TEST_CLUSTER, FEDBATCH_CLUSTER_FLAGS = '' } = process.env;
// A cluster that somebody works with is not to be tested on by accident.
const skip =
  FEDBATCH_TEST_CLUSTER === undefined
    ? 'it runs with npm run test:cluster'
    : kubeconfig === '' &&
      'KUBECONFIG names no cluster (FEDBATCH_CLUSTER_FLAGS adds options, e.g. --storage-class x)';

test('a run on a real cluster, and the same command again', { skip }, async (t) => {
  const flags = [
    '--data',
    'digits',
    '--fresh',
    ...FEDBATCH_CLUSTER_FLAGS.split(' ').filter((flag) => flag !== ''),
  ];
  t.after(async () => {
    const { stdout } = await kube({ kubeconfig }, ['status', '--json']);
    for (const run of new Set((JSON.parse(stdout) as { run: string }[]).map((row) => row.run))) {
      if (run.startsWith('digits-2x1-')) await kube({ kubeconfig }, ['delete', '--run', run]);
    }
  });
  const first = await finishKubeRun({ kubeconfig }, flags);
  assert.ok(first.accuracy > 0.5);
  assert.deepEqual(first.participation, { selected: 4, missing: 0, rejected: 0 });
  const again = await finishKubeRun(
    { kubeconfig },
    flags.filter((flag) => flag !== '--fresh'),
  );
  assert.equal(again.sha256, first.sha256);
  assert.match(again.stderr, /^train .*done before: skipped$/m);
});
