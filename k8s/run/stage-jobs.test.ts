/** Who watches a run on a cluster: its recorders open them, and none of the work is other work for that. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { volumePaths } from '../../lib/formats/volume.js';
import { byFlag } from '../../lib/settings/setting.js';
import { ALL_PARTS } from '../../lib/settings/table.js';
import { evaluateCommand } from '../../pipeline/commands/stage-commands.js';
import { settingsFromFlags } from '../../test/settings.js';
import { watchingArguments } from '../cluster-settings.js';
import { HASH_ANNOTATION } from './names.js';
import { stageJobs } from './stage-jobs.js';

const named = byFlag({ parts: ALL_PARTS });
const { settings } = settingsFromFlags(['--clients', '3']);
const directory = '/mnt/runs/a';

/** The Job of a test with its recorder, by what the run is watched by. */
function testJob(watching: readonly string[]) {
  const plan = { run: 'a', id: 'a', settings, values: {}, namespace: 'fl', threads: 1, directory, watching };
  const paths = volumePaths(directory);
  const command = evaluateCommand({ settings, paths }, { models: [paths.round(2).globalModel], round: 1 });
  return stageJobs(plan).of([command]).job;
}

test('the recorders open those who watch; Jobs of before are taken as they are', () => {
  const given = { 'watching.mlflow': 'http://mlflow:5000/', 'watching.mlflowExperiment': 'digits' };
  const watching = watchingArguments({ given, named });
  assert.deepEqual(watching, ['--mlflow', 'http://mlflow:5000/', '--mlflow-experiment', 'digits']);
  const [plain, watched] = [testJob([]), testJob(watching)];
  assert.ok(plain.metadata?.annotations?.[HASH_ANNOTATION]);
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
