/** A sweep on a cluster, against the API server of the tests; the programs are played. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byPlace } from '../../lib/settings/setting.js';
import { forMany } from '../../lib/system/abort.js';
import { parseAxis } from '../../sweep/axes.js';
import { planSweep } from '../../sweep/plan.js';
import { runSweep } from '../../sweep/run-sweep.js';
import { objectsOf } from '../../test/kube/cluster.js';
import { keepingReporter, playedCluster, runOptions } from '../../test/kube/played-programs.js';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { clusterSettings } from '../cluster-settings.js';
import { runName } from './names.js';
import { clusterTrials } from './sweep-cli.js';

test('each trial has Jobs and a directory of its own; none is made anew, and those of an abandoned trial go', async (t) => {
  const cluster = await playedCluster(t);
  const { values, destination, threads, isolates, scheduleTimeoutMs } = runOptions(cluster);
  const plan = await planSweep({
    base: {
      given: {
        ...{ 'federation.clients': 4, 'training.epochs': 1, 'training.batch': 20, 'model.name': 'mlp' },
        'watching.mlflow': 'http://mlflow:5000/',
      },
      named: byPlace,
    },
    axes: [parseAxis('learning-rate=0.1,0.01')],
    search: { kind: 'grid' },
    settingsOf: async (asked) => clusterSettings(asked),
  });
  const runner = clusterTrials({
    ...{ values, destination, threads, isolates, scheduleTimeoutMs, queue: undefined, axes: plan.axes },
    ...{ directory: 'sweeps/first', fresh: false, cleansUp: false },
  });
  const options = { plan, directory: await temporaryDirectory(t), runner, parallel: 2, fresh: false };
  const context = { reporter: keepingReporter(), signal: forMany(new AbortController().signal) };
  const record = await runSweep(options, context);
  assert.deepEqual(
    record.trials.map(({ state, course }) => [state, course]),
    [
      ['finished', [0.81]],
      ['finished', [0.81]],
    ],
  );
  const jobsOf = (id: string) =>
    objectsOf(cluster, 'Job').filter(({ metadata }) => metadata.labels?.['fedbatch.io/run'] === runName(id));
  const [first, second] = plan.trials;
  assert.ok(first !== undefined && second !== undefined && first.id !== second.id);
  for (const { id } of plan.trials) {
    const jobs = jobsOf(id);
    assert.equal(jobs.length, 6);
    assert.ok(JSON.stringify(jobs).includes(`/mnt/sweeps/first/trials/${id}/`), id);
    // Whoever watches the trials is told by their recorders, and that they belong together.
    const recorders = JSON.stringify(jobs).split('"--facts"').slice(1);
    const words = /^[^\]]*"--mlflow","http:\/\/mlflow:5000\/","--part-of","\{\\"kind\\":\\"sweep\\"/;
    const watched = recorders.filter((text) => words.test(text));
    assert.deepEqual([recorders.length, watched.length], [6, 6], id);
  }
  const told = objectsOf(cluster, 'ConfigMap').map((each) => JSON.stringify(each));
  for (const name of ['learning-rate 0.1', 'learning-rate 0.01']) {
    assert.ok(
      told.some((text) => text.includes(`\\"name\\":\\"${name}\\"`)),
      `${name} goes into run.json`,
    );
  }
  const uids = () => objectsOf(cluster, 'Job').map(({ metadata }) => metadata.uid);
  const before = uids();
  await runSweep(options, context);
  assert.deepEqual(uids(), before, 'finished trials are left alone');
  await runner.abandon?.(first, context);
  assert.equal(jobsOf(first.id).length, 0);
  assert.equal(jobsOf(second.id).length, 6);
});
