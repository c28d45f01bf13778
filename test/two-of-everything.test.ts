/**
 * Two of everything: pipelines, trainers and aggregators that are at the same work, one of them halted at an exact operation
 * on a file until the other has ended. Nothing of what is finished changes.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { before, type TestContext, test } from 'node:test';
import { execa } from 'execa';
import { sha256 } from '../lib/formats/files/read-file.js';
import { readManifest } from '../lib/formats/manifest.js';
import { volumePaths } from '../lib/formats/volume.js';
import { silentReporter } from '../lib/observability/events.js';
import { readAccuracy, testGlobalModel } from '../pipeline/evaluate-stage.js';
import { writeTinyDataset } from './datasets.js';
import { haltedAt, isRunning, isStopped } from './processes.js';
import { runCommand } from './program-host.js';
import { lastLine, type Program, programPath } from './programs.js';
import { trainALittle } from './quick-training.js';
import { endRun, finishRun, type ResultLine, roundOf, startRun, temporaryFiles, waitFor } from './runs.js';
import { sharedDirectory } from './temporary-directory.js';

const directory = await sharedDirectory();
const data = await writeTinyDataset(directory);
const SETTINGS = [
  ...['--data', data, '--model', 'mlp', '--hidden', '8', '--batch', '60', '--epochs', '1'],
  ...['--clients', '2', '--rounds', '1', '--jobs', '1', '--threads', '1'],
];
/** A run that nothing disturbs. */
const whole = join(directory, 'whole');
let expected: ResultLine;
before(async () => {
  expected = await finishRun(whole, SETTINGS);
});

/** Every finished file below a directory with the hash of its bytes. */
function contents(root: string): ReadonlyMap<string, string> {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
  const finished = files.filter(({ name }) => !name.startsWith('.tmp-'));
  const paths = finished.map(({ parentPath, name }) => join(parentPath, name)).sort();
  return new Map(paths.map((path) => [path.slice(root.length), sha256(readFileSync(path))]));
}

async function copyOfWhole(name: string): Promise<string> {
  const volume = join(directory, name);
  await cp(whole, volume, { recursive: true });
  return volume;
}

/** Lets a process go on that is halted. */
const goOn = (pid: number | undefined) => process.kill(pid ?? 0, 'SIGCONT');

/** Waits until a process is halted, which does not outlive the test. */
async function halted(t: TestContext, { pid = 0 }: { readonly pid?: number | undefined }): Promise<void> {
  t.after(() => isRunning(pid) && process.kill(pid, 'SIGKILL'));
  await waitFor(() => isStopped(pid));
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

for (const [when, path, before] of [
  ['with a record ready to appear', '/0001/round\\.json$', 3],
  ['before the file that is to appear is there', '/model/\\.tmp-0-model\\.h5', 1],
] as const) {
  test(`a pipeline that is halted ${when} keeps its volume; once its lock is removed it writes nothing more`, async (t) => {
    const volume = join(directory, `halted-${before}`);
    const { lock } = volumePaths(volume);
    const first = startRun(volume, SETTINGS, haltedAt({ program: 'dist/cli.js', path, before }));
    await halted(t, first);
    // As it would look from another host.
    const holder = JSON.parse(readFileSync(lock, 'utf8')) as object;
    writeFileSync(lock, JSON.stringify({ ...holder, host: 'elsewhere' }));
    const refused = await endRun(volume, SETTINGS);
    assert.equal(refused.exitCode, 2, refused.stderr);
    const advice = `process ${first.pid} on host elsewhere, since .*if that process is no more, delete .*lock and run`;
    assert.match(refused.stderr, new RegExp(advice));
    rmSync(lock);
    assert.equal((await finishRun(volume, SETTINGS)).sha256, expected.sha256);

    const finished = contents(volume);
    goOn(first.pid);
    const { exitCode, stderr } = await first;
    assert.equal(exitCode, 2, stderr);
    assert.match(stderr, /error: .* is no longer held by this run: its lock .*lock was removed/);
    assert.deepEqual(contents(volume), finished);
  });
}

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

/** Starts a program that halts before its first operation on `path`. */
function startHalted(program: Program, path: string, args: readonly string[]) {
  return execa(process.execPath, [programPath(program), ...args], {
    reject: false,
    env: haltedAt({ program: `${program}.js`, path, before: 1 }),
  });
}

test('a late trainer of other bytes: an update that was reported is put back, and a round that is over stays as it is', async () => {
  const volume = join(directory, 'late');
  const paths = volumePaths(volume).round(1);
  const honest = join(directory, 'honest');
  const { sha256: model } = await finishRun(honest, SETTINGS, trainALittle);
  const late = (client: number) =>
    trainALittle(
      {
        ...{ id: 0, client },
        command: [
          ...['train', '--data', volumePaths(volume).shard(client), '--init', paths.globalModel],
          ...['--out', paths.update(client), '--round', '1'],
        ],
      },
      1,
    );
  const hasReported = () =>
    /"client": 0,/.test(readFileSync(paths.record, 'utf8').split('"reported"')[1] ?? '');
  const open = await finishRun(volume, SETTINGS, async (task) => {
    if (task.client === 1) {
      await waitFor(hasReported);
      await late(0);
    }
    return trainALittle(task);
  });
  assert.match(
    open.stderr,
    /round 1: somebody has written over the update of client 0 since it was reported/,
  );
  assert.equal(open.sha256, model);
  const closed = await roundOf(volume, 1);
  assert.deepEqual([closed.rejected, closed.aggregate?.updates], [[], 2]);
  assert.deepEqual(contents(join(volume, 'model')), contents(join(honest, 'model')));

  await late(0);
  // Whoever trains it anew comes to other bytes, too.
  const again = await finishRun(volume, SETTINGS, (task) => trainALittle(task, 2));
  assert.match(
    again.stderr,
    /client 0 \(round 1\): trained again, it came to other bytes.*stays what it was made from/,
  );
  assert.equal(again.sha256, model);
  assert.deepEqual(await roundOf(volume, 1), closed);
  const healed = await finishRun(volume, SETTINGS, trainALittle);
  assert.equal(healed.sha256, model);
  assert.deepEqual(
    contents(paths.root).get('/updates/0.h5'),
    contents(honest).get('/rounds/0001/updates/0.h5'),
  );
});

for (const { what, path, flags } of [
  { what: 'a strategy with a state', path: 'global\\.h5$', flags: ['--strategy', 'fedadam'] },
  {
    what: 'noise from a secret key',
    path: 'noise-key\\.json$',
    flags: [
      ...['--dp-clip', '1', '--dp-noise', '1', '--dp-noise-source', 'system'],
      ...['--dp-participants', '2', '--dp-population', '2'],
    ],
  },
]) {
  test(`two aggregators with ${what} make the same model`, async (t) => {
    const { manifest, round } = volumePaths(whole);
    const { updates, globalModel, record } = round(1);
    const out = join(directory, path.replaceAll(/\W/g, ''));
    const args = [
      ...['--dir', updates, '--manifest', manifest, '--reported', record, '--parent', globalModel],
      ...['--round', '1', '--out', join(out, 'global.h5'), ...flags],
      ...(what.includes('state') ? ['--state-out', join(out, 'server-state.h5')] : []),
    ];
    const first = startHalted('aggregator/cli', path, args);
    await halted(t, first);
    const second = await runCommand('aggregate', args);
    assert.equal(second.exitCode, 0, second.stderr);
    const made = contents(out);
    assert.equal(made.size, 2);
    goOn(first.pid);
    const { exitCode, stdout, stderr } = await first;
    assert.equal(exitCode, 0, stderr);
    const sha256Of = (output: string) => (JSON.parse(lastLine(output)) as ResultLine).sha256;
    assert.equal(sha256Of(stdout), sha256Of(second.stdout));
    const last = contents(out);
    assert.deepEqual(last, made);
    assert.deepEqual(temporaryFiles(out), []);
    const key = last.has('/noise-key.json') && readFileSync(join(out, 'noise-key.json'), 'utf8');
    if (key) assert.equal((JSON.parse(key) as { readonly draws: readonly object[] }).draws.length, 1);
  });
}

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
