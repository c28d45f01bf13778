/** Chaos: a fifth of all trainers is killed at random moments, and the run ends as if little had happened. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { permutation, randomStream } from '../lib/core/random.js';
import { isRunning, isStopped } from './processes.js';
import { lastLine, runProgramFile } from './programs.js';
import { finishRun, type ResultLine, roundOf, startRun, type Turn, trainingFor } from './runs.js';
import { temporaryDirectory } from './temporary-directory.js';

const CLIENTS = 20;
const ROUNDS = 10;
const KILLED = (CLIENTS * ROUNDS) / 5;
/** Of accuracy, 0 to 1. */
const TOLERANCE = 0.005;

test('20 clients, 10 rounds, a fifth of the trainers killed: exact records, nearly the same accuracy', async (t) => {
  const directory = await temporaryDirectory(t);
  const data = join(directory, 'digits.npz');
  const made = await runProgramFile('cli', [
    'dataset',
    'digits',
    '--out',
    data,
    '--train',
    '6000',
    '--test',
    '4000',
  ]);
  assert.equal(made.exitCode, 0, lastLine(made.stderr));
  const flags = [
    ...['--data', data, '--model', 'mlp', '--threads', '1'],
    ...['--clients', `${CLIENTS}`, '--rounds', `${ROUNDS}`, '--epochs', '3', '--batch', '10'],
  ];
  const undisturbed = await finishRun(join(directory, 'undisturbed'), flags);

  const volume = join(directory, 'chaos');
  const run = startRun(volume, [...flags, '--retries', '0', '--quorum', '0.5']);
  const killed = await killSome(volume, () => run.exitCode === null && run.signalCode === null);
  const { exitCode, stdout, stderr } = await run;
  assert.equal(exitCode, 0, stderr);
  const line = JSON.parse(stdout) as ResultLine;

  assert.equal(killed.length, KILLED);
  for (let round = 1; round <= ROUNDS; round++) {
    const { selected, reported, missing, rejected, aggregate } = await roundOf(volume, round);
    const victims = killed.filter((turn) => turn.round === round).map(({ client }) => client);
    const others = selected.filter((client) => !victims.includes(client));
    assert.equal(selected.length, CLIENTS);
    assert.deepEqual(
      missing.map(({ client }) => client),
      victims.sort((a, b) => a - b),
      `round ${round}`,
    );
    for (const { reason } of missing) assert.match(reason, /^was killed \(SIGKILL\)/);
    assert.deepEqual(
      reported.map(({ client }) => client),
      others,
    );
    assert.deepEqual([aggregate?.updates, rejected], [others.length, []]);
  }
  assert.deepEqual(line.participation, { selected: CLIENTS * ROUNDS, missing: KILLED, rejected: 0 });
  const figures = `${line.accuracy} with ${KILLED} trainers killed, ${undisturbed.accuracy} undisturbed`;
  t.diagnostic(`accuracy ${figures}`);
  assert.ok(Math.abs(line.accuracy - undisturbed.accuracy) <= TOLERANCE, figures);
  assert.notEqual(line.sha256, undisturbed.sha256);
});

/** Kills the trainers of KILLED random turns, each at a random moment; returns those that it got. */
async function killSome(volume: string, isGoingOn: () => boolean): Promise<readonly Turn[]> {
  const chosen = new Set(permutation(CLIENTS * ROUNDS, randomStream(1, 'chaos')).subarray(0, KILLED));
  const seen = new Set<number>();
  const killed: Turn[] = [];
  const attempts: Promise<void>[] = [];
  // A victim that was done first is made up for by the next turn that was not chosen.
  let owed = 0;
  const attempt = async (pid: number, turn: Turn) => {
    await sleep(Math.random() * 200);
    if (await killBeforeItsUpdate(volume, pid, turn)) killed.push(turn);
    else owed++;
  };
  while (isGoingOn()) {
    for (const { pid, ...turn } of trainingFor(volume)) {
      // One that was killed is trained again, and may live then.
      const number = (turn.round - 1) * CLIENTS + turn.client;
      if (seen.has(number)) continue;
      seen.add(number);
      const isChosen = chosen.has(number);
      if (!isChosen && owed > 0) owed--;
      else if (!isChosen) continue;
      attempts.push(attempt(pid, turn));
    }
    await sleep(15);
  }
  await Promise.all(attempts);
  return killed;
}

/** Halts the process first: one whose update lies there already has as good as reported, and is let go. */
async function killBeforeItsUpdate(volume: string, pid: number, turn: Turn): Promise<boolean> {
  const isStillIt = () =>
    trainingFor(volume).some(
      (each) => each.pid === pid && each.client === turn.client && each.round === turn.round,
    );
  if (!isStillIt()) return false;
  process.kill(pid, 'SIGSTOP');
  while (isRunning(pid) && !isStopped(pid)) await sleep(1);
  if (!isStillIt()) return false;
  const isDone = existsSync(updateOf(volume, turn));
  process.kill(pid, isDone ? 'SIGCONT' : 'SIGKILL');
  return !isDone;
}

const updateOf = (volume: string, { round, client }: Turn) =>
  join(volume, 'rounds', String(round).padStart(4, '0'), 'updates', `${client}.h5`);
