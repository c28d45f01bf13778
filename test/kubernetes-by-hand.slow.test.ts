/** The README's section on Kubernetes, command by command as it stands there, against the API server of the tests. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { objectsOf, startCluster } from './kube/cluster.js';
import { waitFor } from './runs.js';
import { projectRoot, readmeCommands } from './sources.js';
import { sharedDirectory } from './temporary-directory.js';

test('the commands of the README do the whole job', async (t) => {
  // It outlives the cluster, whose pods write into it until they are stopped.
  const directory = sharedDirectory();
  const cluster = await startCluster(t, { directory, claims: [], hasImage: () => true });
  const kubectl = join(directory, 'kubectl');
  const program = fileURLToPath(new URL('kube/kubectl.js', import.meta.url));
  writeFileSync(kubectl, `#!/bin/sh\nexec ${process.execPath} ${program} "$@"\n`);
  chmodSync(kubectl, 0o755);
  const { exitCode, stdout, stderr } = await execa(
    'bash',
    ['-euo', 'pipefail', '-c', readmeCommands().join('\n')],
    {
      cwd: projectRoot,
      reject: false,
      env: { KUBECONFIG: cluster.kubeconfig, PATH: `${directory}:${process.env.PATH}` },
    },
  );
  assert.equal(exitCode, 0, `${stdout}\n${stderr}`);
  const volume = cluster.claim('fedbatch');
  for (const file of ['data/manifest.json', 'aggregated-model.h5', 'accuracy.json']) {
    assert.ok(existsSync(join(volume, file)), file);
  }
  const { accuracy } = JSON.parse(readFileSync(join(volume, 'accuracy.json'), 'utf8')) as {
    accuracy: number;
  };
  assert.ok(accuracy > 0.5, `accuracy ${accuracy}`);
  const servers = () =>
    objectsOf(cluster, 'Pod').filter(({ metadata }) => metadata.name.startsWith('fedbatch-server'));
  await waitFor(() => servers().length === 2 && servers().every(({ status }) => status?.phase === 'Running'));
});
