/** Rounds of `fedbatch run` from end to end: selection, lost clients and quorum, early stop, more rounds later. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { selectClients } from '../lib/federation/participation.js';
import { readRunRecord } from '../lib/formats/run-record.js';
import { writeTinyDataset } from './datasets.js';
import { runningWith } from './processes.js';
import { runCommand } from './program-host.js';
import { endStruckRun, eventsOf, finishRun, type ResultLine, roundOf } from './runs.js';
import { sharedDirectory } from './temporary-directory.js';

const directory = sharedDirectory();
const data = join(directory, 'tiny.npz');

/** 2 of 4 clients a round. */
const SELECTION = { clients: 4, fraction: 0.5, minClients: 1 };
const SETTINGS = ['--data', data, '--model', 'mlp', '--batch', '20', '--threads', '1', '--seed', '5'];
const SOME = [...SETTINGS, '--clients', '4', '--fraction', '0.5'];
/** The same bytes as by processes, at less cost: for what is about rounds and not about trainers. */
const SIMULATED = ['--simulate', '--jobs', '1'];
const FOUR = [...SETTINGS, '--clients', '4'];
const TWO = [...SETTINGS, '--clients', '2'];
const selected = (round: number) => selectClients(SELECTION, { seed: 5, round });

/** Two undisturbed rounds of SOME. */
let base: { readonly volume: string; readonly line: ResultLine };
before(async () => {
  await writeTinyDataset(directory);
  const volume = join(directory, 'base');
  base = { volume, line: await finishRun(volume, [...SOME, '--rounds', '2']) };
});

const sameFile = (a: string, b: string) => assert.ok(readFileSync(a).equals(readFileSync(b)), `${a} is ${b}`);
const skippedAll = (stderr: string) =>
  assert.doesNotMatch(stderr, / {2}\d+\.\d s$/m, 'no stage did anything');

test('each round trains the clients that the seed selects, and says so in round.json and metrics.jsonl', async () => {
  assert.notDeepEqual(selected(1), selected(2), 'the seed of this test');
  for (const round of [1, 2]) {
    const record = await roundOf(base.volume, round);
    assert.deepEqual(record.selected, selected(round));
    assert.deepEqual(
      record.reported.map(({ client }) => client),
      selected(round),
    );
    assert.equal(record.quorum, 2);
    assert.deepEqual(
      readdirSync(join(base.volume, 'rounds', `000${round}`, 'updates')).sort(),
      selected(round).map((client) => `${client}.h5`),
    );
  }
  const lines = eventsOf(base.volume, 'round');
  assert.deepEqual(
    lines.map(({ round, selected, reported, missing, rejected, quorum }) => ({
      round,
      selected,
      reported,
      missing,
      rejected,
      quorum,
    })),
    [1, 2].map((round) => ({ round, selected: 2, reported: 2, missing: 0, rejected: 0, quorum: 2 })),
  );
  const { evaluation, seconds } = await roundOf(base.volume, 2);
  assert.equal(lines[1]?.accuracy, evaluation?.accuracy);
  assert.deepEqual(lines[1]?.seconds, seconds);
  assert.ok((seconds?.train ?? 0) > 0 && (seconds?.aggregate ?? 0) > 0 && (seconds?.evaluate ?? 0) > 0);
});

test('one trainer at a time, and one that is killed and tried again: the same bytes', async () => {
  const volume = join(directory, 'retried');
  const [, victim = 0] = selected(1);
  const flags = [...SOME, '--jobs', '1'];
  const { exitCode, stdout, stderr } = await endStruckRun(volume, flags, { [victim]: 'SIGKILL' });
  assert.equal(exitCode, 0, stderr);
  const { aggregate } = await roundOf(base.volume, 1);
  assert.equal((JSON.parse(stdout) as ResultLine).sha256, aggregate?.sha256);
  assert.match(
    stderr,
    new RegExp(`warning: train client ${victim}: was killed \\(SIGKILL\\).*; trying again \\(1 of 1\\)\\.`),
  );
  assert.deepEqual(
    eventsOf(volume, 'retry').map(({ round, client, retry }) => ({ round, client, retry })),
    [{ round: 1, client: victim, retry: 1 }],
  );
  assert.deepEqual((await roundOf(volume, 1)).missing, []);
});

test('a target ends the rounds; more can be asked for later, and fewer: always the bytes of that many at once (simulated)', async () => {
  const volume = join(directory, 'grown');
  const first = (await roundOf(base.volume, 1)).evaluation?.accuracy ?? 0;
  assert.ok(first > 0);
  const early = [...SOME, ...SIMULATED, '--rounds', '50', '--target-accuracy', `${first}`];
  const stopped = await finishRun(volume, early);
  assert.deepEqual(
    [stopped.rounds, stopped.stopped, stopped.targetReached, stopped.roundsToTarget],
    [1, 'target', true, 1],
  );
  sameFile(join(volume, 'aggregated-model.h5'), join(base.volume, 'rounds', '0002', 'global.h5'));
  const again = await finishRun(volume, early);
  skippedAll(again.stderr);
  assert.deepEqual([again.sha256, again.rounds, again.roundsToTarget], [stopped.sha256, 1, 1]);

  const grown = await finishRun(volume, [...SOME, ...SIMULATED, '--rounds', '2']);
  assert.match(grown.stderr, /^train +round 1: 2 clients, done before: skipped$/m);
  assert.equal(grown.sha256, base.line.sha256);
  assert.equal('targetReached' in grown, false);
  sameFile(join(volume, 'best-model.h5'), join(base.volume, 'best-model.h5'));

  const shorter = await finishRun(volume, [...SOME, ...SIMULATED, '--rounds', '1', '--target-accuracy', '1']);
  assert.deepEqual([shorter.sha256, shorter.rounds, shorter.targetReached], [stopped.sha256, 1, false]);
  assert.equal('roundsToTarget' in shorter, false);
  sameFile(join(volume, 'aggregated-model.h5'), join(volume, 'rounds', '0002', 'global.h5'));
  const tested = JSON.parse(readFileSync(join(volume, 'accuracy.json'), 'utf8')) as {
    readonly sha256: string;
  };
  assert.equal(tested.sha256, stopped.sha256);

  const whole = await finishRun(volume, [...SOME, ...SIMULATED, '--rounds', '2']);
  assert.equal(whole.sha256, base.line.sha256);
  sameFile(join(volume, 'aggregated-model.h5'), join(base.volume, 'aggregated-model.h5'));
  const { settings } = await readRunRecord(join(volume, 'run.json'));
  assert.equal(settings.federation.rounds, 50, '--fresh must know every round that was ever asked for');
});

test('patience ends rounds that get no better; the best model is the first of equals, and is put right (simulated)', async () => {
  const volume = join(directory, 'patient');
  const flags = [...TWO, ...SIMULATED, '--learning-rate', '0', '--rounds', '9', '--patience', '2'];
  const line = await finishRun(volume, flags);
  assert.deepEqual([line.rounds, line.stopped, line.best.round], [3, 'patience', 1]);
  sameFile(join(volume, 'best-model.h5'), join(volume, 'rounds', '0002', 'global.h5'));
  await rm(join(volume, 'best-model.h5'));
  const again = await finishRun(volume, flags);
  skippedAll(again.stderr);
  assert.equal(again.rounds, 3);
  sameFile(join(volume, 'best-model.h5'), join(volume, 'rounds', '0002', 'global.h5'));
});

test('a client that is lost is missing with its reason, and the round goes on while the quorum holds', async () => {
  const volume = join(directory, 'lost');
  const flags = [...FOUR, '--retries', '0', '--quorum', '75%'];
  const { exitCode, stdout, stderr } = await endStruckRun(volume, flags, { 2: 'SIGKILL' });
  assert.equal(exitCode, 0, stderr);
  const line = JSON.parse(stdout) as ResultLine;
  assert.deepEqual(line.participation, { selected: 4, missing: 1, rejected: 0 });
  assert.match(
    stderr,
    /warning: train client 2: was killed .*; round 1 continues without it \(3 of 4 clients are left, 3 are needed\)/,
  );
  assert.match(stderr, /^3 of 4 updates counted in 1 round: 1 missing, 0 rejected/m);
  const record = await roundOf(volume, 1);
  assert.deepEqual(record.missing, [
    { client: 2, reason: 'was killed (SIGKILL), perhaps because memory ran out' },
  ]);
  assert.deepEqual(
    record.reported.map(({ client }) => client),
    [0, 1, 3],
  );
  assert.deepEqual([record.quorum, record.aggregate?.updates], [3, 3]);
  assert.equal(existsSync(join(volume, 'rounds', '0001', 'updates', '2.h5')), false);
  const [event] = eventsOf(volume, 'round');
  assert.deepEqual([event?.reported, event?.missing, event?.updates], [3, 1, 3]);

  // Who took part in a finished round is settled, whatever failures later runs tolerate.
  const again = await finishRun(volume, FOUR);
  skippedAll(again.stderr);
  assert.equal(again.sha256, line.sha256);
  assert.deepEqual((await roundOf(volume, 1)).missing, record.missing);
});

test('a quorum that cannot hold any more ends the run with exit code 4, who is missing and why; it can go on', async () => {
  const volume = join(directory, 'broken');
  await cp(join(directory, 'lost'), volume, { recursive: true });
  // As before the first round.
  for (const path of ['rounds/0001/round.json', 'rounds/0001/updates', 'rounds/0002', 'aggregated-model.h5'])
    await rm(join(volume, path), { recursive: true });
  const flags = [...FOUR, '--quorum', '3', '--retries', '0'];
  const killed = { 0: 'SIGKILL', 1: 'SIGKILL' } as const;
  const { exitCode, stderr, stdout } = await endStruckRun(volume, flags, killed);
  assert.equal(exitCode, 4, stderr);
  assert.equal(stdout, '');
  assert.match(
    stderr,
    /error: Round 1 misses its quorum: 3 of 4 selected clients have to report, and 2 cannot any more: client 0 \(was killed \(SIGKILL\), [^;]*\), client 1 \(was killed \(SIGKILL\)[^;]*\)\.$/m,
  );
  assert.doesNotMatch(stderr, /\n {4}at /);
  assert.deepEqual(runningWith(volume), []);
  const { missing, aggregate } = await roundOf(volume, 1);
  assert.deepEqual(
    missing.map(({ client }) => client),
    [0, 1],
  );
  assert.equal(aggregate, undefined);
  const [failure] = eventsOf(volume, 'failure');
  assert.deepEqual([failure?.stage, failure?.round, failure?.exitCode], ['train', 1, 4]);
  assert.match(String(failure?.next), /who is missing or rejected.*--quorum or --retries/);

  const line = await finishRun(volume, flags);
  assert.deepEqual(line.participation, { selected: 4, missing: 0, rejected: 0 });
  assert.deepEqual((await roundOf(volume, 1)).missing, []);
});

test('a client that hangs is stopped at the deadline and recorded as late', async () => {
  const volume = join(directory, 'late');
  // The other one is done before, so that the deadline may be short on any machine.
  const alone = [...TWO, '--jobs', '1', '--retries', '0'];
  assert.equal((await endStruckRun(volume, alone, { 1: 'SIGKILL' })).exitCode, 5);
  const flags = [...TWO, '--jobs', '2', '--round-deadline', '2', '--quorum', '0.5'];
  const { exitCode, stdout, stderr } = await endStruckRun(volume, flags, { 1: 'SIGSTOP' });
  assert.equal(exitCode, 0, stderr);
  assert.deepEqual(runningWith(volume), []);
  const { missing, reported } = await roundOf(volume, 1);
  assert.deepEqual(missing, [{ client: 1, reason: 'late: not done within 2 s' }]);
  assert.equal(reported.length, 1);
  assert.equal((JSON.parse(stdout) as ResultLine).participation.missing, 1);
});

test('bad input is not tried again; the round goes on without that client', async () => {
  const volume = join(directory, 'refused');
  await cp(base.volume, volume, { recursive: true });
  const [victim = 0] = selected(3);
  const inTheWay = join(volume, 'rounds', '0003', 'updates', `${victim}.h5`);
  await mkdir(inTheWay, { recursive: true });
  const line = await finishRun(volume, [...SOME, '--rounds', '3', '--quorum', '1', '--retries', '5']);
  const { missing, rejected } = await roundOf(volume, 3);
  assert.equal(missing[0]?.client, victim);
  assert.match(
    missing[0]?.reason ?? '',
    /ended with exit code 3: .*could not be written: the path is a directory/,
  );
  assert.deepEqual([missing.length, rejected.length], [1, 0]);
  assert.deepEqual(eventsOf(volume, 'retry'), []);
  assert.equal(line.rounds, 3);
});

for (const [what, flags, message] of [
  [
    'a fraction of nobody',
    ['--fraction', '0'],
    /'--fraction <share>' argument '0' is invalid\. Expected a number above 0, up to 1/,
  ],
  [
    'a fraction of more than all',
    ['--fraction', '1.2'],
    /'--fraction <share>' argument '1\.2' is invalid\. Expected a number above 0, up to 1/,
  ],
  ['more clients than there are', ['--min-clients', '5'], /--min-clients 5 are more than the 4 clients/],
  ['a quorum above the selected', ['--quorum', '3'], /--quorum 3 is more than the 2 of 4 clients/],
  ['a quorum of nothing', ['--quorum', '0%'], /share above 0, up to 1 \(0\.8, 80%\), found "0%"/],
  [
    'patience of more rounds than there are',
    ['--patience', '2'],
    /--patience 2 can never end a run of --rounds 1/,
  ],
  ['a target in percent', ['--target-accuracy', '97'], /Expected a number from 0 to 1, found "97"/],
  [
    'a fraction that comes to nobody',
    ['--fraction', '0.1'],
    /--fraction 0\.1 selects none of 4 clients: .* 0\.125,/,
  ],
  [
    'no concentration',
    ['--partition', 'dirichlet', '--alpha', '0'],
    /'--alpha <alpha>' argument '0' is invalid\. Expected a number above 0, found "0"/,
  ],
  [
    'more labels a client than the data have',
    ['--partition', 'label-skew', '--labels-per-client', '5'],
    /Expected at most 4 labels per client, .* found 5/,
  ],
  [
    'more labels a client than MNIST has',
    ['--data', 'mnist', '--partition', 'label-skew', '--labels-per-client', '11'],
    /Expected at most 10 labels per client, .* found 11/,
  ],
  ['more clients than examples', ['--clients', '400'], /at most 324 clients for 324 training .* found 400/],
  ['a deadline of no time', ['--round-deadline', '0'], /Expected a number above 0, up to 86400, found "0"/],
] as const) {
  test(`${what} is refused before anything is done`, async () => {
    const volume = join(directory, 'contradiction');
    const { exitCode, stderr } = await runCommand('run', ['--volume', volume, ...SOME, ...flags]);
    assert.equal(exitCode, 2);
    assert.match(stderr, message);
    assert.equal(existsSync(volume), false);
  });
}
