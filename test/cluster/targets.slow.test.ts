/** JobSet, Kubeflow Trainer and Kueue, really running: what is rendered for them ends with the model of the same job here. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { sha256 } from '../../lib/formats/files/read-file.js';
import { kube } from '../kube/runs.js';
import { runCommand } from '../program-host.js';
import { lastLine } from '../programs.js';
import { projectRoot } from '../sources.js';
import { temporaryDirectory } from '../temporary-directory.js';
import { admin, apply, kubectl, makePlace, notOurs, objectsAt, type Place, until } from './cluster.js';
import { JOB, jobHere, sha256Of, working } from './jobs.js';
import { makeQueue } from './queues.js';

const claim = (place: Place) =>
  kubectl(place, ['apply', '--filename', join(projectRoot, 'k8s', '3-pvc.yaml')]);

const rendered = async (...args: readonly string[]) => {
  const { exitCode, stdout, stderr } = await runCommand('k8s', ['render', ...args, ...JOB]);
  assert.equal(exitCode, 0, stderr);
  return stdout;
};

const modelAt = ({ volume }: Place) => sha256(readFileSync(join(volume, 'aggregated-model.h5')));

/** Whether TrainJobs have the field by which Kueue tells their pods where to go; without it they stay suspended. */
async function knowsPatches(): Promise<boolean> {
  const { stdout } = await kubectl(admin, ['get', 'crd', 'trainjobs.trainer.kubeflow.org', '--output=json']);
  return stdout.includes('"runtimePatches"');
}

/** A trainer at work in the first round finds on the claim what is its own, and nothing else. */
async function requireOwnSight(place: Place): Promise<void> {
  const trainers = 'app.kubernetes.io/component=trainer';
  await until(async () => (await working(place, trainers)).length > 0, 300);
  const [pod] = await working(place, trainers);
  const list = 'console.log(JSON.stringify(fs.readdirSync("/mnt", { recursive: true }).sort()))';
  const { stdout } = await kubectl(place, ['exec', pod?.metadata.name ?? '', '--', 'node', '-e', list]);
  const shards = (JSON.parse(stdout) as readonly string[]).filter((name) => name.endsWith('.npz'));
  assert.equal(shards.length, 1, stdout);
  const own = ['data', 'data/manifest.json', 'rounds', 'rounds/0001', 'rounds/0001/global.h5'];
  assert.deepEqual(JSON.parse(stdout), [...own, 'rounds/0001/updates', ...shards].sort());
}

describe('on a real cluster', { skip: notOurs }, () => {
  let expected = '';
  before(async () => {
    expected = await jobHere(JOB);
  });

  it('a JobSet does the job', async (t) => {
    const place = await makePlace(t, 'jobset');
    await claim(place);
    await apply(place, await rendered('--target', 'jobset'));
    await requireOwnSight(place);
    await kubectl(place, ['wait', '--for=condition=Completed', '--timeout=8m', 'jobset/fedbatch']);
    assert.equal(modelAt(place), expected);
  });

  for (const queue of [undefined, 'team']) {
    it(`TrainJobs do the job${queue === undefined ? '' : ', which Kueue admits'}`, async (t) => {
      if (queue !== undefined && !(await knowsPatches()))
        return t.skip(
          'Kueue 0.17 admits TrainJobs of Kubeflow Trainer 2.2 and newer: an older one runs here',
        );
      const place = await makePlace(t, queue === undefined ? 'trainer' : 'queued-trainer');
      await claim(place);
      if (queue !== undefined) await makeQueue(t, place, { cpu: '8' });
      const out = join(await temporaryDirectory(t), 'kubeflow');
      await rendered(
        '--target',
        'kubeflow',
        '--out',
        out,
        ...(queue === undefined ? [] : ['--queue', queue]),
      );
      for (const file of readdirSync(out).sort()) {
        const text = readFileSync(join(out, file), 'utf8');
        const { stdout: name } = await kubectl(place, ['create', '--filename', '-', '--output', 'name'], {
          input: text,
        });
        if (name.startsWith('trainingruntime')) continue;
        if (/^trainjob.*0001$/.test(name)) await requireOwnSight(place);
        const condition = name.startsWith('trainjob') ? 'Complete' : 'complete';
        await kubectl(place, ['wait', `--for=condition=${condition}`, '--timeout=5m', name]);
      }
      assert.equal(modelAt(place), expected);
    });
  }

  it('`k8s run` waits in a queue of Kueue that has no room, and does the job once it has', async (t) => {
    const place = await makePlace(t, 'queued');
    await claim(place);
    await makeQueue(t, place, { cpu: '0' });
    const run = kube(place, ['run', ...JOB, '--queue', 'team', '--json']);
    let told = '';
    run.stderr?.on('data', (text: Buffer) => {
      told += `${text}`;
    });
    await until(() => run.exitCode !== null || told.includes('Kueue holds it back in the queue team'));
    assert.deepEqual(await objectsAt(place, 'pods'), [], told);
    await makeQueue(t, place, { cpu: '8' });
    const { exitCode, stdout, stderr } = await run;
    assert.equal(exitCode, 0, stderr);
    assert.equal(sha256Of(lastLine(stdout)), expected);
  });
});
