/** Who watches a run on a cluster: its recorders open them, and none of the work is other work for that. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { V1Job } from '@kubernetes/client-node';
import { volumePaths } from '../../lib/formats/volume.js';
import { byFlag } from '../../lib/settings/setting.js';
import { ALL_PARTS } from '../../lib/settings/table.js';
import { aggregateCommand, evaluateCommand, trainCommand } from '../../pipeline/commands/stage-commands.js';
import { settingsFromFlags } from '../../test/settings.js';
import { watchingArguments } from '../cluster-settings.js';
import { WORK_ANNOTATION } from './names.js';
import { stageJobs } from './stage-jobs.js';

const named = byFlag({ parts: ALL_PARTS });
const { settings } = settingsFromFlags(['--clients', '3']);
const directory = '/mnt/runs/a';

const paths = volumePaths(directory);
const plan = {
  run: 'a',
  id: 'a',
  settings,
  values: {},
  namespace: 'fl',
  threads: 1,
  directory,
  isolates: true,
};

/** The Job of a test with its recorder, by what the run is watched by. */
function testJob(watching: readonly string[]) {
  const command = evaluateCommand({ settings, paths }, { models: [paths.round(2).globalModel], round: 1 });
  return stageJobs({ ...plan, watching }).of([command]).job;
}

test('the recorders open those who watch; Jobs of before are taken as they are', () => {
  const given = { 'watching.mlflow': 'http://mlflow:5000/', 'watching.mlflowExperiment': 'digits' };
  const watching = watchingArguments({ given, named });
  assert.deepEqual(watching, ['--mlflow', 'http://mlflow:5000/', '--mlflow-experiment', 'digits']);
  const [plain, watched] = [testJob([]), testJob(watching)];
  assert.ok(plain.metadata?.annotations?.[WORK_ANNOTATION]);
  assert.deepEqual(watched.metadata, plain.metadata);
  const [before, after] = [plain, watched].map(({ spec }) => spec?.template.spec);
  const [recorder] = after?.containers ?? [];
  assert.deepEqual(recorder?.args, [...(before?.containers[0]?.args ?? []), ...watching]);
  assert.deepEqual(recorder?.envFrom, [{ secretRef: { name: 'fedbatch-mlflow', optional: true } }]);
  assert.deepEqual(after?.initContainers, before?.initContainers, 'the evaluator knows nothing of it');
});

test('a password is none for the arguments of a pod', () => {
  const given = { 'watching.mlflow': 'http://me:s3cret@mlflow:5000/' };
  assert.throws(
    () => watchingArguments({ given, named }),
    (error: Error) =>
      /^--mlflow: expected an address without name and password/.test(error.message) &&
      !error.message.includes('s3cret'),
  );
});

const round = { round: 2, clients: [0, 2] };
const train = round.clients.map((client) => trainCommand({ settings, paths, threads: 1 }, round, client));
const aggregate = aggregateCommand({ settings, paths }, round, { minUpdates: 2 });
const mountsOf = (job: V1Job) => {
  const { containers, initContainers = [] } = job.spec?.template.spec ?? { containers: [] };
  return [...initContainers, ...containers].map(({ volumeMounts = [] }) =>
    Object.fromEntries(
      volumeMounts
        .filter(({ name }) => name === 'volume')
        .map(({ mountPath, subPath, subPathExpr, readOnly }) => [
          mountPath,
          [subPathExpr ?? subPath, readOnly],
        ]),
    ),
  );
};

test('a trainer sees its own place, and writes where its update goes', () => {
  assert.deepEqual(mountsOf(stageJobs(plan).of(train).job), [
    {
      '/mnt/runs/a': ['runs/a/data/places/0002/$(JOB_COMPLETION_INDEX)', true],
      '/mnt/runs/a/rounds/0002/updates': ['runs/a/rounds/0002/updates/$(JOB_COMPLETION_INDEX)', undefined],
    },
  ]);
});

test('no container of an aggregator sees shards', () => {
  const { job } = stageJobs(plan).of([aggregate], { facts: {} });
  const seen = {
    '/mnt/runs/a': ['runs/a', undefined],
    '/mnt/runs/a/data/manifest.json': ['runs/a/data/manifest.json', true],
  };
  assert.deepEqual(mountsOf(job), [seen, seen]);
  for (const { volumeMounts = [] } of job.spec?.template.spec?.containers ?? [])
    assert.ok(volumeMounts.some(({ name, mountPath }) => name === 'tmp' && mountPath === '/mnt/runs/a/data'));
});

test('where parts of a claim cannot be mounted, all see the whole of it', () => {
  const jobs = stageJobs({ ...plan, isolates: false });
  const whole = { '/mnt': [undefined, undefined] };
  assert.deepEqual(mountsOf(jobs.of(train).job), [whole]);
  assert.deepEqual(mountsOf(jobs.of([aggregate], { facts: {} }).job), [whole, whole]);
});

test('a pod trains several clients in turn, and the Job may lose as many of them as the quorum can do without', () => {
  const selection = { round: 2, clients: [0, 2, 3, 5, 6] };
  const commands = selection.clients.map((client) =>
    trainCommand({ settings, paths, threads: 1 }, selection, client),
  );
  const several = stageJobs({ ...plan, isolates: false, clientsPerPod: 2 });
  const { job, quorum, clientsPerPod } = several.of(commands, { quorum: 2, retries: 1 });
  const { completions, parallelism, maxFailedIndexes, template } = job.spec ?? {};
  assert.deepEqual([completions, parallelism, maxFailedIndexes, quorum, clientsPerPod], [3, 3, 2, 1, 2]);
  const [container] = template?.spec?.containers ?? [];
  assert.deepEqual(container?.command, ['node', '/app/dist/pipeline/in-turn-cli.js']);
  const [one] =
    stageJobs({ ...plan, isolates: false }).of(commands).job.spec?.template.spec?.containers ?? [];
  const own = ['--clients-per-pod=2', '--round=2', '--retries=1', '--'];
  assert.deepEqual(container?.args, [...own, ...(one?.args ?? [])]);
  assert.deepEqual(container?.env, one?.env);
  assert.equal(several.of(commands).job.spec?.maxFailedIndexes, 0);
});
