/** A run that fails: bad data leave no trace on the volume, any other failure leaves where, why and what to do. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeNpz } from '../lib/formats/data/npz.js';
import { sha256 } from '../lib/formats/files/read-file.js';
import { readRunRecord } from '../lib/formats/run-record.js';
import { volumePaths } from '../lib/formats/volume.js';
import { writeTinyDataset } from './datasets.js';
import { runCommand } from './program-host.js';
import { lastLine } from './programs.js';
import { endRun, eventsOf, finishRun } from './runs.js';
import { sharedDirectory } from './temporary-directory.js';

const directory = sharedDirectory();
const data = await writeTinyDataset(directory);
const FLAGS = ['--model', 'mlp', '--clients', '2', '--batch', '20', '--threads', '1'];
const volume = join(directory, 'run');
const paths = volumePaths(volume);

const report = async () => await readFile(paths.report, 'utf8');

/** What `fedbatch report` says. */
async function told(): Promise<{
  readonly stderr: string;
  readonly state: unknown;
  readonly failure: unknown;
}> {
  const { stdout, stderr } = await runCommand('report', ['--volume', volume]);
  return { ...(JSON.parse(lastLine(stdout)) as { state: unknown; failure: unknown }), stderr };
}

/** Every file of the volume with its bytes. */
async function contents(): Promise<readonly string[]> {
  const files = (await readdir(volume, { recursive: true, withFileTypes: true })).filter((each) =>
    each.isFile(),
  );
  const hashes = files.map(async ({ parentPath, name }) => {
    const path = join(parentPath, name);
    return `${path} ${sha256(await readFile(path))}`;
  });
  return (await Promise.all(hashes)).sort();
}

test('data are judged before anything is made, and before anything is removed', async () => {
  const bad = join(directory, 'bad.npz');
  const x = { name: 'x', shape: [40, 2, 2], values: new Float32Array(160).fill(Number.NaN) };
  const y = { name: 'y', shape: [40], values: Int32Array.from({ length: 40 }, (_, index) => index % 4) };
  await writeFile(bad, await encodeNpz([x, y]));
  const sentence = /^error: .*bad\.npz: expected finite numbers in x/m;
  for (const more of [[], ['--simulate']]) {
    const { exitCode, stderr } = await endRun(volume, ['--data', bad, ...FLAGS, ...more]);
    assert.equal(exitCode, 3);
    assert.match(stderr, sentence);
    assert.equal(existsSync(volume), false);
  }
  const alone = join(directory, 'alone.npz');
  const images = { ...x, values: new Uint8Array(160) };
  await writeFile(alone, await encodeNpz([images, { ...y, values: new Int32Array(40) }]));
  const oneClass = await endRun(volume, ['--data', alone, ...FLAGS]);
  assert.equal(oneClass.exitCode, 3);
  assert.match(
    oneClass.stderr,
    /^error: .*alone\.npz: expected labels of at least 2 classes, found label 0/m,
  );
  assert.equal(existsSync(volume), false);
  await finishRun(volume, ['--data', data, ...FLAGS]);
  const before = await contents();
  const { exitCode, stderr } = await endRun(volume, ['--data', bad, ...FLAGS, '--fresh']);
  assert.equal(exitCode, 3);
  assert.match(stderr, sentence);
  assert.deepEqual(await contents(), before);
  assert.equal((await told()).state, 'finished');
});

test('a stage that fails: where, why and what to do stand on record until the same command succeeds', async () => {
  const twoRounds = ['--data', data, ...FLAGS, '--rounds', '2'];
  // The update of client 1 has no place.
  const inTheWay = join(paths.round(2).update(1), 'in the way');
  await mkdir(inTheWay, { recursive: true });
  const { exitCode, stderr } = await endRun(volume, twoRounds);
  assert.equal(exitCode, 3, stderr);
  const sentence = stderr.match(/^error: (train client 1: .*)$/m);
  const [failure] = eventsOf(volume, 'failure');
  const { time, event, ...facts } = failure ?? {};
  const next = 'Mend the file, or the disk, that the reason names; the same command resumes from here.';
  assert.deepEqual(facts, { stage: 'train', round: 2, client: 1, exitCode: 3, reason: sentence?.[1], next });
  const page = await report();
  assert.match(page, /Failed: train of client 1 in round 2\.<\/strong> Exit code 3, /);
  assert.match(page, /<p>train client \d: ended with exit code 3: .*could not be written/);
  assert.ok(page.includes(next));
  const failed = await told();
  assert.equal(failed.state, 'failed');
  assert.deepEqual(failed.failure, { time, event, ...facts });
  assert.match(
    failed.stderr,
    /The run failed: train of client \d in round 2, exit code 3\. train client .*Mend/,
  );

  await rm(paths.round(2).update(1), { recursive: true });
  await finishRun(volume, twoRounds);
  assert.doesNotMatch(await report(), /Failed:|class="alarm"/);
  assert.equal((await told()).state, 'finished');
});

test('a simulation that fails, too', async () => {
  const simulated = join(directory, 'simulated');
  const flags = ['--data', data, ...FLAGS, '--simulate'];
  await finishRun(simulated, flags);
  // The model of the round has no place.
  await rm(volumePaths(simulated).round(2).globalModel);
  await mkdir(join(volumePaths(simulated).round(2).globalModel, 'in the way'), { recursive: true });
  const failed = await endRun(simulated, flags);
  assert.equal(failed.exitCode, 3, failed.stderr);
  const [failure] = eventsOf(simulated, 'failure');
  assert.deepEqual([failure?.round, failure?.exitCode], [1, 3]);
  assert.match(String(failure?.reason), /global\.h5: could not be written/);
});

test('a run that was killed is told from one that failed', async () => {
  await writeFile(
    paths.metrics,
    `${(await readFile(paths.metrics, 'utf8')).trimEnd()}\n{"time":"2026","event":"start","jobs":1}\n`,
  );
  assert.equal((await told()).state, 'begun');
  assert.match(
    await report(),
    /Begun 2026 UTC and not finished.*: No process holds the volume, and no end is on record: the command .* resumes it/,
  );
});

test('a pipeline without a volume has the failure recorded, on the volume of its own run alone', async () => {
  const { settings } = await readRunRecord(paths.run);
  const failure = { stage: 'aggregate', round: 1, exitCode: 5, reason: 'its pod is gone.', next: 'Look.' };
  const facts = join(directory, 'facts.json');
  const record = async (change: object) => {
    await writeFile(facts, JSON.stringify({ settings: { ...settings, ...change }, failure }));
    const step = ['--step', 'failed', '--volume', volume, '--facts', facts];
    const { exitCode, stdout, stderr } = await runCommand('record', step);
    assert.equal(exitCode, 0, stderr);
    return JSON.parse(lastLine(stdout)) as unknown;
  };
  const before = await readFile(paths.metrics, 'utf8');
  assert.deepEqual(await record({ seed: 9 }), { recorded: false });
  assert.equal(await readFile(paths.metrics, 'utf8'), before);
  assert.deepEqual(await record({ federation: { ...settings.federation, rounds: 7 } }), { recorded: true });
  assert.equal((await told()).state, 'failed');
  assert.match(await report(), /Failed: aggregate in round 1\..*\n.*its pod is gone\./);
});
