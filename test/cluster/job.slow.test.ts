/** The whole job on a real cluster, by hand and by command, disturbed: it ends with the model of the same job here. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { execa } from 'execa';
import { tellsAndDeletes } from '../kube/runs.js';
import { lastLine, programPath } from '../programs.js';
import { projectRoot, readmeCommands } from '../sources.js';
import {
  apply,
  FLAGS,
  kubectl,
  makePlace,
  noCluster,
  notOurs,
  objectsAt,
  ownCluster,
  type Place,
  until,
} from './cluster.js';
import { EPOCHS, JOB, jobHere, type Pod, sha256Of, TRAINERS, working } from './jobs.js';

/** The claim is made with the run. */
const CLAIMING = notOurs ? FLAGS : ['--storage-class', 'nfs-csi'];

const template = (name: string) => readFileSync(join(projectRoot, 'k8s', name), 'utf8');

/** Starts `k8s run`, to be killed as a whole. */
const startRun = ({ kubeconfig, namespace }: Place) =>
  execa(
    process.execPath,
    [programPath('cli'), 'k8s', 'run', '--namespace', namespace, ...JOB, ...CLAIMING, '--json'],
    {
      reject: false,
      env: { KUBECONFIG: kubeconfig },
    },
  );

describe('the job on a real cluster', { skip: noCluster }, () => {
  let expected = '';
  before(async () => {
    expected = await jobHere(JOB);
  });

  it('done by the commands of the README', { skip: notOurs }, async (t) => {
    const place = await makePlace(t, 'by-hand');
    // No node here can mount NFS: the volume is a directory of the node, behind the claim that storage classes are for.
    const commands = readmeCommands().filter((line) => !/nfs/i.test(line));
    const script = ['kubectl apply -f k8s/3-pvc.yaml', ...commands]
      .map((line) => line.replace('kubectl wait ', 'kubectl wait --timeout=10m '))
      .join('\n');
    const done = await execa('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: projectRoot,
      reject: false,
      env: { KUBECONFIG: place.kubeconfig },
    });
    assert.equal(done.exitCode, 0, `${done.stdout}\n${done.stderr}`);
    assert.doesNotMatch(done.stderr, /Warning/);
    const { stdout } = await kubectl(place, ['logs', 'job/fedbatch-aggregator']);
    const same = ['--clients', '3', '--epochs', '2', '--batch', '100'];
    assert.equal(sha256Of(lastLine(stdout)), await jobHere(same));
    await kubectl(place, ['rollout', 'status', 'deployment/fedbatch-server', '--timeout=5m']);
    const page = `/api/v1/namespaces/${place.namespace}/services/fedbatch-server:80/proxy/`;
    assert.match((await kubectl(place, ['get', '--raw', page])).stdout, /<title>/);
  });

  it('done by `k8s run`, whose pods are deleted, whose command is killed and whose API server is killed', async (t) => {
    const place = await makePlace(t, 'run');
    const first = startRun(place);
    await until(async () => (await working(place, TRAINERS)).length > 0, 600);
    const [victim] = await working(place, TRAINERS);
    await kubectl(place, ['delete', 'pod', victim?.metadata.name ?? '', '--grace-period=0', '--force']);
    first.kill('SIGKILL');
    await first;

    const second = startRun(place);
    const later = `${TRAINERS},fedbatch.io/round=2`;
    await until(async () => second.exitCode !== null || (await working(place, later)).length > 0, 600);
    assert.equal(second.exitCode, null, 'the second round is trained while it is disturbed');
    if (!notOurs) {
      await execa(join(ownCluster().scripts, 'control-plane.sh'), ['restart-api', 'KILL', '2'], {
        stdio: 'ignore',
      });
    }
    const { exitCode, stdout, stderr } = await second;
    assert.equal(exitCode, 0, stderr);
    assert.equal(sha256Of(lastLine(stdout)), expected);

    const again = await startRun(place);
    assert.equal(again.exitCode, 0, again.stderr);
    assert.equal(sha256Of(lastLine(again.stdout)), expected);
    for (const stage of ['split', 'init', 'train', 'aggregate', 'evaluate'])
      assert.match(again.stderr, new RegExp(`^${stage} .*done before: skipped$`, 'm'));

    await tellsAndDeletes(place);
    assert.deepEqual(await objectsAt(place, 'jobs,pods,configmaps', 'fedbatch.io/run'), []);
  });

  it('done from inside of the cluster, by a pod that is deleted', { skip: notOurs }, async (t) => {
    const place = await makePlace(t, 'inside');
    const pipeline = template('8-pipeline.yaml')
      .replace('- --rounds=1 ', '- --rounds=2 ')
      .replace('- --epochs=2 ', `- --epochs=${EPOCHS} `)
      .replace(/^( +)- run$/m, '$&\n$1- --model=mlp');
    await apply(place, template('3-pvc.yaml'), template('0-rbac.yaml'), pipeline);
    await until(async () => (await working(place, TRAINERS)).length > 0, 600);
    const pipelines = 'batch.kubernetes.io/job-name=fedbatch-pipeline';
    const [victim] = await working(place, pipelines);
    await kubectl(place, ['delete', 'pod', victim?.metadata.name ?? '', '--grace-period=0', '--force']);
    await kubectl(place, ['wait', '--for=condition=complete', '--timeout=10m', 'job/fedbatch-pipeline']);
    const ended = (await objectsAt<Pod>(place, 'pods', pipelines)).find(
      ({ status }) => status.phase === 'Succeeded',
    );
    const message = ended?.status.containerStatuses?.[0]?.state.terminated?.message ?? '';
    assert.equal(sha256Of(message), expected, message);
  });
});
