/** `fedbatch run --trainers pipe`: somebody else trains the clients, and the run is the same to the last bit. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { execa } from 'execa';
import { volumePaths } from '../lib/formats/volume.js';
import { writeTinyDataset } from './datasets.js';
import { pipedRun } from './piped.js';
import { runCommand, type Task } from './program-host.js';
import { programPath, runProgramFile } from './programs.js';
import { endRun, eventsOf, finishRun, type ResultLine, roundOf } from './runs.js';
import { sharedDirectory } from './temporary-directory.js';

const directory = sharedDirectory();
const data = join(directory, 'tiny.npz');
const FLAGS = ['--data', data, '--model', 'mlp', '--batch', '20', '--threads', '1', '--seed', '5'];
const SETTINGS = [...FLAGS, '--clients', '4', '--fraction', '0.5', '--rounds', '2'];

const LOCAL = join(directory, 'local');
let local: ResultLine;

before(async () => {
  await writeTinyDataset(directory);
  local = await finishRun(LOCAL, SETTINGS);
});

test('the models are those of a local run; the clients of a round are given away at once', async () => {
  const volume = join(directory, 'piped');
  const piped = await pipedRun(volume, SETTINGS);
  assert.equal(piped.exitCode, 0, piped.stderr);
  assert.equal(piped.result?.sha256, local.sha256);
  const selected = await Promise.all([1, 2].map(async (round) => (await roundOf(LOCAL, round)).selected));
  assert.deepEqual(piped.requests, selected);
  for (const round of [1, 2]) {
    const [here, elsewhere] = [await roundOf(LOCAL, round), await roundOf(volume, round)];
    const facts = (record: typeof here) =>
      record.reported.map(({ seconds: _seconds, alone: _alone, epochs: _epochs, ...each }) => each);
    assert.deepEqual(facts(elsewhere), facts(here));
  }
  const again = await pipedRun(volume, SETTINGS);
  assert.deepEqual([again.exitCode, again.requests, again.result?.sha256], [0, [], local.sha256]);
});

test('a client that cannot be trained is missing with its reason; bad data are not tried again', async () => {
  const volume = join(directory, 'quorum');
  const asked = new Map<number, number>();
  const lose = async (task: Task) => {
    asked.set(task.client, (asked.get(task.client) ?? 0) + 1);
    const failure = { id: task.id, stdout: [], stderr: ['{"level":"error","msg":"error: no such shard."}'] };
    if (task.client === 1) return { ...failure, exitCode: 3 };
    if (task.client === 2) return { ...failure, signal: 'SIGKILL', stderr: [] };
    // Not where the run runs: it waits for this.
    const { exitCode, stdout, stderr } = await runProgramFile('cli', task.command);
    return { id: task.id, exitCode, stdout: stdout.split('\n'), stderr: stderr.split('\n') };
  };
  const flags = [...FLAGS, '--clients', '4', '--quorum', '2', '--retries', '1'];
  const { exitCode, stderr } = await endRun(volume, flags, lose);
  assert.equal(exitCode, 0, stderr);
  const { missing, aggregate } = await roundOf(volume, 1);
  assert.deepEqual(
    missing.map(({ client }) => client),
    [1, 2],
  );
  assert.match(missing[0]?.reason ?? '', /exit code 3: no such shard/);
  assert.match(missing[1]?.reason ?? '', /SIGKILL/);
  assert.equal(aggregate?.updates, 2);
  assert.deepEqual([asked.get(1), asked.get(2)], [1, 2]);
});

test('the external trainer goes away: the run fails and can be resumed', async () => {
  const volume = join(directory, 'gone');
  await cp(LOCAL, volume, { recursive: true });
  // As before the first round.
  for (const path of ['rounds/0001/round.json', 'rounds/0001/updates', 'rounds/0002', 'rounds/0003'])
    await rm(join(volume, path), { recursive: true });
  const args = [programPath('cli'), 'run', '--volume', volume, '--trainers', 'pipe', ...SETTINGS];
  const { exitCode, stderr } = await execa(process.execPath, args, { reject: false, input: '' });
  assert.equal(exitCode, 5, stderr);
  assert.match(stderr, /the external trainer has closed stdin/);
  const [failure] = eventsOf(volume, 'failure');
  assert.deepEqual([failure?.stage, failure?.round, failure?.exitCode], ['train', 1, 5]);
  assert.match(String(failure?.reason), /the external trainer has closed stdin/);
  assert.ok(existsSync(volumePaths(volume).round(1).globalModel));
});

test('options that need the trainers at hand are refused', async () => {
  for (const flags of [['--simulate'], ['--round-deadline', '5']]) {
    const args = ['--volume', join(directory, 'refused'), '--trainers', 'pipe', ...SETTINGS, ...flags];
    const { exitCode, stderr } = await runCommand('run', args);
    assert.equal(exitCode, 2);
    assert.match(stderr, new RegExp(`${flags[0]} does not go with --trainers pipe`));
  }
});
