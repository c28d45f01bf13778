/** A run that is watched from outside, from end to end: MLflow and a program of the user's own hear of it, and it is the same run. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeTinyDataset } from './datasets.js';
import { type LoggedRun, startMlflow } from './mlflow-server.js';
import { finishRun } from './runs.js';
import { temporaryDirectory } from './temporary-directory.js';

test('a run, and what a second command adds to it, reach MLflow and a program; the record is none the wiser', async (t) => {
  const directory = await temporaryDirectory(t);
  const played = await startMlflow(t);
  const data = await writeTinyDataset(directory, 108);
  const volume = join(directory, 'run');
  const flags = ['--data', data, '--clients', '2', '--model', 'mlp', '--batch', '20', '--simulate'];
  const { host } = new URL(played.url);
  const told = ['--mlflow', `http://me:s3cret@${host}`, '--on-event', `cat >> '${directory}/heard.jsonl'`];
  const plain = await finishRun(join(directory, 'plain'), [...flags, '--rounds', '2']);
  await finishRun(volume, [...flags, '--rounds', '1', ...told]);
  const { sha256, stderr } = await finishRun(volume, [...flags, '--rounds', '2', ...told]);
  assert.equal(sha256, plain.sha256);
  assert.doesNotMatch(stderr, /MLflow|on-event/);

  const recorded = await readFile(join(volume, 'metrics.jsonl'), 'utf8');
  assert.equal(await readFile(join(directory, 'heard.jsonl'), 'utf8'), recorded);
  for (const file of ['run.json', 'metrics.jsonl', 'report.html']) {
    assert.doesNotMatch(await readFile(join(volume, file), 'utf8'), /s3cret|heard\.jsonl/, file);
  }

  const [run, ...others]: readonly LoggedRun[] = played.runs;
  assert.ok(run !== undefined && others.length === 0);
  assert.equal(run.status, 'FINISHED');
  // Clients of a simulation have no events of their own.
  for (const key of ['accuracy', 'client-0/loss', 'client-1/loss']) {
    const steps: readonly number[] = run.metrics.filter((each) => each.key === key).map((each) => each.step);
    assert.deepEqual(steps, [1, 2], key);
  }
  // The loss of a test, not that of a training.
  const rounds = recorded.split('\n').filter((line) => line.includes('"event":"round"'));
  assert.deepEqual(
    run.metrics.filter((each) => each.key === 'loss').map(({ value }) => value),
    rounds.map((line) => (JSON.parse(line) as { readonly loss: number }).loss),
  );
  assert.equal(run.tags.get('fedbatch.model.sha256'), sha256);
  const model = await readFile(join(volume, 'aggregated-model.h5'));
  assert.equal(run.files.get('aggregated-model.h5')?.length, model.toString('utf8').length);
});
