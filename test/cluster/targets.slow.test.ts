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
import { apply, kubectl, makePlace, notOurs, type Place } from './cluster.js';
import { JOB, jobHere, sha256Of } from './jobs.js';
import { makeQueue } from './queues.js';

const claim = (place: Place) =>
  kubectl(place, ['apply', '--filename', join(projectRoot, 'k8s', '3-pvc.yaml')]);

const rendered = async (...args: readonly string[]) => {
  const { exitCode, stdout, stderr } = await runCommand('k8s', ['render', ...args, ...JOB]);
  assert.equal(exitCode, 0, stderr);
  return stdout;
};

const modelAt = ({ volume }: Place) => sha256(readFileSync(join(volume, 'aggregated-model.h5')));

describe('on a real cluster', { skip: notOurs }, () => {
  let expected = '';
  before(async () => {
    expected = await jobHere(JOB);
  });

  it('a JobSet does the job', async (t) => {
    const place = await makePlace(t, 'jobset');
    await claim(place);
    await apply(place, await rendered('--target', 'jobset'));
    await kubectl(place, ['wait', '--for=condition=Completed', '--timeout=8m', 'jobset/fedbatch']);
    assert.equal(modelAt(place), expected);
  });

  for (const queue of [undefined, 'team']) {
    it(`TrainJobs do the job${queue === undefined ? '' : ', which Kueue admits'}`, async (t) => {
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
        const condition = name.startsWith('trainjob') ? 'Complete' : 'complete';
        await kubectl(place, ['wait', `--for=condition=${condition}`, '--timeout=5m', name]);
      }
      assert.equal(modelAt(place), expected);
    });
  }

  it('`k8s run` does the job through a queue of Kueue', async (t) => {
    const place = await makePlace(t, 'queued');
    await claim(place);
    await makeQueue(t, place, { cpu: '8' });
    const { exitCode, stdout, stderr } = await kube(place, ['run', ...JOB, '--queue', 'team', '--json']);
    assert.equal(exitCode, 0, stderr);
    assert.equal(sha256Of(lastLine(stdout)), expected);
  });
});
