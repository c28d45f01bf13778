/** `fedbatch run --strategy …` from end to end: server optimizers through stops and damage, privacy in the records. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { privacySpent } from '../lib/federation/privacy/accountant.js';
import { sha256 } from '../lib/formats/files/read-file.js';
import { readRoundRecord } from '../lib/formats/run-record.js';
import { readServerState } from '../lib/formats/server-state-file.js';
import { writeTinyDataset } from './datasets.js';
import { killedAt } from './processes.js';
import { runCommand } from './program-host.js';
import type { StruckStage } from './programs/host.js';
import type { KillPoint } from './programs/kill-at.js';
import { programPath } from './programs.js';
import type { ResultLine } from './runs.js';
import { sharedDirectory } from './temporary-directory.js';

const ROUNDS = 2;
const SETTINGS = [
  '--model',
  'mlp',
  '--epochs',
  '1',
  '--batch',
  '20',
  '--threads',
  '1',
  '--rounds',
  `${ROUNDS}`,
  '--clients',
  '2',
];
const ADAM = ['--strategy', 'fedadam', '--server-learning-rate', '0.05'];

let directory = '';
let data = '';
/** A run of FedAdam that nothing disturbed. */
let finished = '';

before(async () => {
  directory = sharedDirectory();
  data = await writeTinyDataset(directory);
  finished = join(directory, 'finished');
  const { exitCode, stderr } = await startHere(finished, ADAM);
  assert.equal(exitCode, 0, stderr);
});

function start(volume: string, strategy: readonly string[], point?: KillPoint) {
  const args = ['run', '--data', data, '--volume', volume, ...SETTINGS, ...strategy, '--json'];
  const env = point === undefined ? {} : killedAt(point);
  return execa(process.execPath, [programPath('cli'), ...args], { cwd: directory, reject: false, env });
}

/** The same in a process that stays: for what does not end it by a signal. */
const startHere = (volume: string, strategy: readonly string[], ...struck: readonly StruckStage[]) =>
  runCommand('run', ['--data', data, '--volume', volume, ...SETTINGS, ...strategy, '--json'], {
    cwd: directory,
    struck,
  });

const recordOf = (volume: string, round: number) =>
  readRoundRecord(join(volume, 'rounds', `000${round}`, 'round.json'));
const hashOf = (path: string) => sha256(readFileSync(path));

const RESULTS = [
  'rounds/0002/global.h5',
  'rounds/0002/server-state.h5',
  'rounds/0003/global.h5',
  'rounds/0003/server-state.h5',
  'aggregated-model.h5',
];

function assertSameResults(volume: string, what: string): void {
  for (const path of RESULTS) {
    assert.equal(hashOf(join(volume, path)), hashOf(join(finished, path)), `${path}, ${what}`);
  }
}

test('the state lies beside the global model that it belongs to, and round.json tells its hash', async () => {
  for (let round = 1; round <= ROUNDS; round++) {
    const state = join(finished, 'rounds', `000${round + 1}`, 'server-state.h5');
    const { aggregate } = await recordOf(finished, round);
    assert.equal(aggregate?.state, hashOf(state));
    const { model, round: goesOn, strategy } = await readServerState(state);
    assert.deepEqual([model, goesOn, strategy], [aggregate?.sha256, round + 1, 'fedadam']);
  }
});

for (const stop of ['SIGTERM', 'SIGKILL'] as const) {
  test(`a run that ${stop} stops after the first round goes on to the same bytes`, async () => {
    const volume = join(directory, stop);
    await cp(finished, volume, { recursive: true });
    // As after the first round.
    const second = join(volume, 'rounds', '0002', 'round.json');
    for (const path of [second, join(volume, 'rounds', '0002', 'updates'), join(volume, 'rounds', '0003')])
      await rm(path, { recursive: true });
    for (const name of ['aggregated-model.h5', 'best-model.h5', 'accuracy.json', 'report.html'])
      await rm(join(volume, name));
    const run = start(volume, ADAM);
    while (!existsSync(second) && run.exitCode === undefined) await sleep(5);
    run.kill(stop);
    await run;
    const last = join(volume, 'rounds', '0003', 'server-state.h5');
    assert.ok(!existsSync(last), 'it was stopped before its end');
    const { exitCode, stderr } = await startHere(volume, ADAM);
    assert.equal(exitCode, 0, stderr);
    assert.match(stderr, /aggregate +round 1: .*done before: skipped/);
    assertSameResults(volume, 'after a stop');
  });
}

test('a state that is missing, damaged or of another round is made again', async () => {
  const cases: Readonly<Record<string, (state: string) => Promise<void>>> = {
    missing: (state) => rm(state),
    damaged: (state) => writeFile(state, 'no state'),
    stale: (state) => cp(join(finished, 'rounds', '0003', 'server-state.h5'), state),
  };
  for (const [what, spoil] of Object.entries(cases)) {
    const volume = join(directory, what);
    await cp(finished, volume, { recursive: true });
    await spoil(join(volume, 'rounds', '0002', 'server-state.h5'));
    // Round 2 must be aggregated anew, from that state.
    await rm(join(volume, 'rounds', '0003', 'global.h5'));
    const { exitCode, stderr } = await startHere(volume, ADAM);
    assert.equal(exitCode, 0, stderr);
    assertSameResults(volume, what);
  }
});

test('another strategy is another run', async () => {
  const { exitCode, stderr } = await startHere(finished, ['--strategy', 'fedyogi']);
  assert.equal(exitCode, 2);
  assert.match(stderr, /--strategy fedadam, now fedyogi; --server-learning-rate 0\.05, now 0\.01/);
  const averaging = await startHere(finished, []);
  assert.match(averaging.stderr, /--strategy fedadam, now not given/);
});

test('the round’s clients must be enough, before anything runs', async () => {
  const volume = join(directory, 'refused');
  const { exitCode, stderr } = await startHere(volume, ['--strategy', 'krum']);
  assert.equal(exitCode, 2);
  assert.match(
    stderr,
    /--strategy krum with --byzantine 1 \(2f \+ 3\) needs at least 5 clients in a round, found 2\./,
  );
  assert.equal(existsSync(volume), false);
});

test('FedNova: clients tell how far they went, and a simulation makes the same models', async () => {
  const strategy = [
    '--strategy',
    'fednova',
    '--optimizer',
    'sgd',
    '--proximal',
    '0.1',
    '--partition',
    'quantity-skew',
  ];
  const volume = join(directory, 'fednova');
  const { exitCode, stderr } = await startHere(volume, strategy);
  assert.equal(exitCode, 0, stderr);
  const { reported } = await recordOf(volume, 1);
  assert.notEqual(reported[0]?.examples, reported[1]?.examples);
  const simulated = await startHere(join(directory, 'fednova-simulated'), [...strategy, '--simulate']);
  assert.equal(simulated.exitCode, 0, simulated.stderr);
  assert.equal(
    hashOf(join(directory, 'fednova-simulated', 'aggregated-model.h5')),
    hashOf(join(volume, 'aggregated-model.h5')),
  );
  const refused = await startHere(join(directory, 'fednova-adam'), ['--strategy', 'fednova']);
  assert.equal(refused.exitCode, 2);
  assert.match(
    refused.stderr,
    /--strategy fednova does not go with --optimizer adam: it needs changes that are/,
  );
});

const SCAFFOLD = [
  ...['--strategy', 'scaffold', '--optimizer', 'sgd', '--momentum', '0', '--learning-rate', '0.05'],
  ...['--clients', '4', '--fraction', '0.5', '--rounds', '3'],
];
const SCAFFOLD_RESULTS = [2, 3, 4].flatMap((round) => [
  `rounds/000${round}/global.h5`,
  `rounds/000${round}/server-state.h5`,
]);

test('SCAFFOLD: clients go on from their last update that counted, here and simulated', async () => {
  const whole = join(directory, 'scaffold');
  const { exitCode, stderr } = await startHere(whole, SCAFFOLD);
  assert.equal(exitCode, 0, stderr);
  const expected = SCAFFOLD_RESULTS.map((path) => hashOf(join(whole, path)));
  // Who reported when is in the state; somebody came back after a pause, and somebody's first round was a later one.
  const seen = new Map<number, number>();
  let returns = 0;
  for (let round = 1; round <= 3; round++) {
    for (const { client } of (await recordOf(whole, round)).reported) {
      if (seen.has(client)) returns += 1;
      seen.set(client, round);
    }
    const { lastRounds } = await readServerState(join(whole, 'rounds', `000${round + 1}`, 'server-state.h5'));
    assert.deepEqual(lastRounds, Object.fromEntries(seen));
  }
  assert.ok(returns >= 1 && seen.size >= 3, `${returns} returns, ${seen.size} clients`);

  const shard = join(whole, 'data', '0.npz');
  const init = join(whole, 'rounds', '0003', 'global.h5');
  const asked = [
    ...SCAFFOLD.slice(0, 8),
    '--data',
    shard,
    '--init',
    init,
    '--round',
    '3',
    '--out',
    join(directory, 'x.h5'),
  ];
  const lost = await runCommand('train', asked);
  assert.equal(lost.exitCode, 2);
  assert.match(
    lost.stderr,
    /needs the state that server and client keep between rounds: name the run's volume\./,
  );
  const elsewhere = await runCommand('train', [...asked, '--volume', finished]);
  assert.equal(elsewhere.exitCode, 3);
  assert.match(
    elsewhere.stderr,
    /server-state\.h5: expected the state of the strategy scaffold, found that of fedadam/,
  );

  const simulated = join(directory, 'scaffold-simulated');
  const { exitCode: simulatedCode, stderr: told } = await startHere(simulated, [...SCAFFOLD, '--simulate']);
  assert.equal(simulatedCode, 0, told);
  assert.deepEqual(
    SCAFFOLD_RESULTS.map((path) => hashOf(join(simulated, path))),
    expected,
  );
  // Another run in its place removes what its clients kept.
  const fresh = await startHere(simulated, ['--rounds', '1', '--simulate', '--fresh']);
  assert.equal(fresh.exitCode, 0, fresh.stderr);
  assert.equal(existsSync(join(simulated, 'rounds', '0001', 'updates')), false);
});

test('a private run tells ε in round.json, metrics.jsonl, on stderr and in the result line, and grows it', async () => {
  const volume = join(directory, 'private');
  const strategy = ['--dp-clip', '1', '--dp-noise', '0.5', '--dp-delta', '1e-3', '--dp-noise-source', 'seed'];
  const { exitCode, stderr, stdout } = await startHere(volume, strategy);
  assert.equal(exitCode, 0, stderr);
  const spent: number[] = [];
  const metrics = (await readFile(join(volume, 'metrics.jsonl'), 'utf8')).trim().split('\n');
  for (let round = 1; round <= ROUNDS; round++) {
    const privacy = (await recordOf(volume, round)).aggregate?.privacy;
    assert.equal(privacy?.delta, 1e-3);
    spent.push(privacy?.epsilon ?? Number.NaN);
    assert.ok(stderr.includes(`round ${round}: 2 updates, `));
    assert.match(stderr, new RegExp(`round ${round}: .*, ε ${privacy?.epsilon?.toPrecision(3)} at δ 0.001`));
    const event = metrics
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .find((each) => each.event === 'aggregate' && each.round === round);
    assert.deepEqual(event?.privacy, privacy);
    assert.equal(event?.clients, undefined, 'nothing of single updates is told');
    assert.ok((await recordOf(volume, round)).reported.every(({ norm }) => norm === undefined));
  }
  assert.ok(0 < (spent[0] ?? 0) && (spent[0] ?? 0) < (spent[1] ?? 0), spent.join());
  assert.equal((JSON.parse(stdout) as ResultLine).privacy?.epsilon, spent[1]);
  assert.match(stderr, new RegExp(`^privacy ε ${spent[1]?.toPrecision(3)} at`, 'm'));
});

test('a clip that follows the updates: each round tells its own, the state carries it, ε is as before', async () => {
  const volume = join(directory, 'following');
  const noise = ['--dp-noise', '1', '--dp-delta', '1e-3', '--dp-noise-source', 'seed'];
  const following = [
    '--dp-clip',
    '0.01',
    '--dp-clip-quantile',
    '0.5',
    '--dp-clip-count-noise',
    '2',
    ...noise,
  ];
  const { exitCode, stderr } = await startHere(volume, following);
  assert.equal(exitCode, 0, stderr);
  const told: (number | undefined)[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const { aggregate } = await recordOf(volume, round);
    told.push(aggregate?.privacy?.clip);
    const spent = privacySpent({ noise: 1, delta: 1e-3, participants: 2, population: 2, rounds: round });
    assert.deepEqual([aggregate?.privacy?.epsilon, aggregate?.privacy?.delta], [spent.epsilon, 1e-3]);
    assert.match(stderr, new RegExp(`round ${round}: .*, clipped to ${told.at(-1)?.toPrecision(3)}`));
  }
  const [first, second] = told;
  const { clip, slots } = await readServerState(join(volume, 'rounds', '0002', 'server-state.h5'));
  assert.deepEqual([first, second, slots], [0.01, clip, {}]);
  assert.ok(Math.abs(Math.log((clip as number) / 0.01)) < 1 && clip !== 0.01, `${clip}`);
  const simulated = join(directory, 'following-simulated');
  const again = await startHere(simulated, [...following, '--simulate']);
  assert.equal(again.exitCode, 0, again.stderr);
  for (const path of ['rounds/0003/global.h5', 'rounds/0003/server-state.h5'])
    assert.equal(hashOf(join(simulated, path)), hashOf(join(volume, path)), path);
  const tooLittle = ['--dp-clip', '1', '--dp-clip-quantile', '0.5', ...noise];
  const refused = await startHere(join(directory, 'following-refused'), tooLittle);
  assert.equal(refused.exitCode, 2);
  assert.match(
    refused.stderr,
    /takes --dp-clip-count-noise above 0\.5, found 0\.1 for 2 clients in a round\./,
  );
});

const PRIVATE = ['--dp-clip', '0.5', '--dp-noise', '4', '--rounds', '1'];

for (const [name, flags, maker] of [
  ['processes', [], 'aggregator/cli.js'],
  ['a simulation', ['--simulate'], 'simulator/cli.js'],
] as const) {
  test(`a private run of ${name}, killed around its model: the same model, the same ε, on record before its result`, async () => {
    const volume = join(directory, `killed-${flags.length}`);
    const strategy = [...PRIVATE, ...flags];
    const model = join(volume, 'rounds', '0002', 'global.h5');
    // Just after the model's name is there.
    const named = { program: maker, path: 'rounds/0002$', before: 1 };
    const first = await (flags.length > 0
      ? start(volume, strategy, named)
      : startHere(volume, strategy, named));
    assert.notEqual(first.exitCode, 0, first.stderr);
    const seen = new Set([hashOf(model)]);
    assert.equal((await recordOf(volume, 1)).aggregate, undefined);
    assert.equal(existsSync(join(volume, 'aggregated-model.h5')), false);
    const placing = { program: '/dist/cli.js', path: 'aggregated-model\\.h5', before: 1 };
    assert.equal((await start(volume, strategy, placing)).signal, 'SIGKILL');
    assert.equal((await recordOf(volume, 1)).aggregate?.sha256, hashOf(model));
    const { exitCode, stderr, stdout } = await startHere(volume, strategy);
    assert.equal(exitCode, 0, stderr);
    seen.add(hashOf(join(volume, 'aggregated-model.h5')));
    assert.equal(seen.size, 1);
    const clients = { participants: 2, population: 2, rounds: 1 };
    const spent = privacySpent({ noise: 4, delta: 1e-5, ...clients });
    assert.deepEqual((await recordOf(volume, 1)).aggregate?.privacy, { ...spent });
    const line = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { readonly privacy?: object };
    assert.deepEqual(line.privacy, { ...spent });
    assert.equal(statSync(join(volume, 'noise-key.json')).mode & 0o777, 0o600);
  });
}
