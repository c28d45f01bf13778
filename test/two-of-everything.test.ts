/**
 * Two of everything: pipelines, trainers and aggregators that are at the same work, one of them halted at an exact operation
 * on a file until the other has ended. Nothing of what is finished changes.
 */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { readManifest } from '../lib/formats/manifest.js';
import { volumePaths } from '../lib/formats/volume.js';
import { silentReporter } from '../lib/observability/events.js';
import { readAccuracy, testGlobalModel } from '../pipeline/evaluate-stage.js';
import { contents, goOn, halted, startHalted, wholeRun } from './halted.js';
import { haltedAt } from './processes.js';
import { runCommand } from './program-host.js';
import { lastLine } from './programs.js';
import { endRun, finishRun, type ResultLine, roundOf, startRun } from './runs.js';
import { sharedDirectory } from './temporary-directory.js';

const directory = sharedDirectory();
const { settings: SETTINGS, whole, expected } = await wholeRun(directory);

async function copyOfWhole(name: string): Promise<string> {
  const volume = join(directory, name);
  await cp(whole, volume, { recursive: true });
  return volume;
}

test('of two pipelines that begin at the same instant one is told to wait, and the other completes', async (t) => {
  const volume = join(directory, 'instant');
  const point = { program: 'dist/cli.js', path: '/run\\.json$', before: 1 };
  const first = startRun(volume, SETTINGS, haltedAt(point));
  await halted(t, first);
  const second = await endRun(volume, SETTINGS);
  assert.equal(second.exitCode, 2, second.stderr);
  assert.match(
    second.stderr,
    new RegExp(`in use by another run \\(process ${first.pid}, since .*wait for it`),
  );
  goOn(first.pid);
  const { exitCode, stdout, stderr } = await first;
  assert.equal(exitCode, 0, stderr);
  assert.equal((JSON.parse(stdout) as ResultLine).sha256, expected.sha256);
});

test('two pods of one client write the same update, whichever is first', async (t) => {
  const volume = await copyOfWhole('pods');
  const { root, globalModel } = volumePaths(volume).round(1);
  const updates = contents(join(root, 'updates'));
  rmSync(join(root, 'updates', '1.h5'));
  const start = () =>
    startHalted('trainer/cli', 'updates/1\\.h5$', [
      ...['--data', join(volume, 'data', '{client}.npz'), '--init', globalModel],
      ...['--out', join(root, 'updates', '{client}.h5'), '--clients', '0,1', '--client-index', '1'],
      ...['--epochs', '1', '--batch', '60', '--threads', '1'],
    ]);
  const pods = [start(), start()];
  for (const pod of pods) await halted(t, pod);
  const results: string[] = [];
  for (const pod of pods) {
    goOn(pod.pid);
    const { exitCode, stdout, stderr } = await pod;
    assert.equal(exitCode, 0, stderr);
    results.push((JSON.parse(lastLine(stdout)) as ResultLine).sha256);
    assert.deepEqual(contents(join(root, 'updates')), updates);
  }
  assert.deepEqual(new Set(results), new Set([updates.get('/1.h5')]));
});

test('figures of another model never count, whoever wrote them last', async () => {
  const volume = await copyOfWhole('evaluators');
  const paths = volumePaths(volume);
  const late = async () => {
    const args = ['--model', paths.round(1).globalModel, '--data', paths.test, '--out', paths.accuracy];
    assert.equal((await runCommand('evaluate', args)).exitCode, 0);
  };
  const tested = contents(volume).get('/accuracy.json');
  const before = await roundOf(volume, 1);
  await late();
  assert.notEqual(contents(volume).get('/accuracy.json'), tested);
  const global = { file: paths.aggregatedModel, sha256: expected.sha256 };
  const expectation = /expected the test of the model that has just been tested .*found that of another one/;
  await assert.rejects(readAccuracy(paths.accuracy, global), expectation);
  const testing = { task: { round: 1, global }, data: await readManifest(paths.manifest), test: late };
  await assert.rejects(testGlobalModel({ paths, reporter: silentReporter }, testing), expectation);
  const line = await finishRun(volume, SETTINGS);
  assert.deepEqual([line.accuracy, line.sha256], [expected.accuracy, expected.sha256]);
  assert.deepEqual(await roundOf(volume, 1), before);
  await readAccuracy(paths.accuracy, global);
});
