/** `fedbatch k8s run` from end to end: the real client, an API server over HTTP, pods as processes of the real programs. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startCluster } from './kube/cluster.js';
import { kubeRun, LINE, SETTINGS } from './kube/runs.js';
import { lastLine, runProgramFile } from './programs.js';
import { sharedDirectory } from './temporary-directory.js';
import { writeTinyDataset } from './tiny-dataset.js';

let directory = '';
let local: { readonly sha256: string; readonly accuracy: number };

before(async () => {
  directory = await sharedDirectory();
  mkdirSync(join(directory, 'cluster', 'claims', 'fedbatch'), { recursive: true });
  const data = await writeTinyDataset(join(directory, 'cluster', 'claims', 'fedbatch'));
  const flags = ['run', '--data', data, '--volume', join(directory, 'local'), '--json', ...SETTINGS];
  const { stdout, stderr, exitCode } = await runProgramFile('cli', flags);
  assert.equal(exitCode, 0, stderr);
  local = JSON.parse(lastLine(stdout));
});

test('a run on a cluster ends with the same bytes as the same run here', async (t) => {
  const cluster = await startCluster(t, { directory: join(directory, 'cluster') });
  const { exitCode, stdout, stderr } = await kubeRun(cluster, []);
  console.log(stderr);
  assert.equal(exitCode, 0, stderr);
  const line = LINE.parse(JSON.parse(lastLine(stdout)));
  assert.equal(line.sha256, local.sha256);
});
