/** `fedbatch run` from end to end, on the real services and a tiny dataset. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { stripVTControlCharacters, styleText } from 'node:util';
import { execa } from 'execa';
import { z } from 'zod';
import { readRoundRecord, readRunRecord } from '../lib/formats/run-record.js';
import { volumePaths } from '../lib/formats/volume.js';
import { writeTinyDataset } from './datasets.js';
import { runningWith } from './processes.js';
import { runCommand } from './program-host.js';
import { requireValid, requireValidFile, requireValidLines } from './results.js';
import { endRun, endStruckRun, eventsOf, requireStopped, trainingFor, waitFor } from './runs.js';
import { projectRoot } from './sources.js';

const program = join(projectRoot, 'dist', 'cli.js');
const metricsSchema = z.record(z.string(), z.number().nullable());
const lineSchema = z.strictObject({
  accuracy: z.number(),
  metrics: metricsSchema,
  loss: z.number(),
  rounds: z.int(),
  stopped: z.enum(['rounds', 'target', 'patience']),
  best: z.strictObject({
    round: z.int(),
    accuracy: z.number(),
    metrics: metricsSchema,
    sha256: z.string(),
  }),
  participation: z.strictObject({ selected: z.int(), missing: z.int(), rejected: z.int() }),
  seconds: z.strictObject({
    split: z.number(),
    train: z.number(),
    aggregate: z.number(),
    evaluate: z.number(),
    total: z.number(),
  }),
  sha256: z.string(),
  volume: z.string(),
});

let directory = '';
let data = '';
/** A finished run of two rounds, and its last line. */
let finished: { readonly volume: string; readonly line: z.infer<typeof lineSchema> };

// One thread each, so that two trainers run side by side on any machine with two cores.
const SETTINGS = ['--model', 'mlp', '--rounds', '2', '--batch', '20', '--jobs', '2', '--threads', '1'];

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
  data = await writeTinyDataset(directory);
  const volume = join(directory, 'finished');
  finished = { volume, line: lastLine(await start(volume)) };
});
after(() => rm(directory, { recursive: true, force: true }));

/** Starts a run that ends with a JSON line; `more` options come after the usual ones. */
function start(volume: string, ...more: readonly string[]) {
  return execa(
    process.execPath,
    [program, 'run', '--data', data, '--volume', volume, ...SETTINGS, '--json', ...more],
    {
      cwd: directory,
      reject: false,
    },
  );
}

/** The same, its stages as processes, itself in one that stays: for what does not end it by a signal. */
const startHere = (volume: string, ...more: readonly string[]) =>
  runCommand('run', ['--data', data, '--volume', volume, ...SETTINGS, '--json', ...more], { cwd: directory });

function lastLine({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }) {
  assert.notEqual(stdout, '', stderr);
  return lineSchema.parse(JSON.parse(stdout));
}

/** A copy of the finished run. */
async function copyOfFinished(name: string): Promise<string> {
  const volume = join(directory, name);
  await cp(finished.volume, volume, { recursive: true });
  return volume;
}

const skippedStages = (stderr: string) =>
  stderr.split('\n').filter((line) => /^(?!round ).*done before: skipped$/.test(line));

test('a run leaves the volume as the stages and the user expect it, and learns', async () => {
  const { volume, line } = finished;
  assert.deepEqual(readdirSync(volume, { recursive: true }).map(String).sort(), [
    'accuracy.json',
    'aggregated-model.h5',
    'best-model.h5',
    'data',
    'data/0.npz',
    'data/1.npz',
    'data/2.npz',
    'data/manifest.json',
    'data/test.npz',
    'metrics.jsonl',
    'model',
    'model/0-model.h5',
    'model/1-model.h5',
    'model/2-model.h5',
    'report.html',
    'rounds',
    'rounds/0001',
    'rounds/0001/global.h5',
    'rounds/0001/round.json',
    'rounds/0001/updates',
    'rounds/0001/updates/0.h5',
    'rounds/0001/updates/1.h5',
    'rounds/0001/updates/2.h5',
    'rounds/0002',
    'rounds/0002/global.h5',
    'rounds/0002/round.json',
    'rounds/0002/updates',
    'rounds/0002/updates/0.h5',
    'rounds/0002/updates/1.h5',
    'rounds/0002/updates/2.h5',
    'rounds/0003',
    'rounds/0003/global.h5',
    'run.json',
  ]);
  assert.ok(line.accuracy > 0.6, `accuracy ${line.accuracy}`);
  assert.equal(line.rounds, 2);
  assert.equal(line.stopped, 'rounds');
  assert.deepEqual(line.participation, { selected: 6, missing: 0, rejected: 0 });
  assert.equal(line.volume, volume);
  const { split, train, aggregate, evaluate, total } = line.seconds;
  assert.ok(split + train + aggregate + evaluate <= total + 0.01);

  const [first, second] = await Promise.all(
    ['0001', '0002'].map((round) => readRoundRecord(join(volume, 'rounds', round, 'round.json'))),
  );
  assert.ok(first !== undefined && second !== undefined);
  assert.equal(second.parent, first.aggregate?.sha256, 'round 2 starts from the average of round 1');
  assert.equal(second.aggregate?.sha256, line.sha256);
  assert.equal(
    second.reported.reduce((sum, { examples }) => sum + examples, 0),
    second.aggregate?.examples,
  );
  for (const { reported } of [first, second]) {
    assert.ok(reported.every(({ norm = 0, cosine = 0 }) => norm > 0 && cosine > 0.1 && cosine < 1));
  }
  const { settings } = await readRunRecord(join(volume, 'run.json'));
  assert.equal(settings.federation.clients, 3);

  const same = (a: string, b: string) =>
    assert.ok(readFileSync(join(volume, a)).equals(readFileSync(join(volume, b))), `${a} is ${b}`);
  same('model/1-model.h5', 'rounds/0002/updates/1.h5');
  same('aggregated-model.h5', 'rounds/0003/global.h5');
  const isSecondBest = (second.evaluation?.accuracy ?? 0) > (first.evaluation?.accuracy ?? 0);
  assert.equal(line.best.round, isSecondBest ? 2 : 1);
  assert.equal(line.best.sha256, (isSecondBest ? second : first).aggregate?.sha256);
  same('best-model.h5', isSecondBest ? 'aggregated-model.h5' : 'rounds/0002/global.h5');
  const events = readFileSync(join(volume, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
  const told = events.map((event) => JSON.parse(event) as { event: string; clients?: unknown });
  const names = told.map(({ event }) => event);
  assert.equal((told[0] as { schemaVersion?: number }).schemaVersion, 1);
  assert.deepEqual(
    told.findLast(({ event }) => event === 'aggregate')?.clients,
    second.reported.map(({ client, norm, cosine }) => ({ client, norm, cosine })),
  );
  const round = ['aggregate', 'evaluation', 'round'];
  assert.deepEqual(
    names.filter((name) => name !== 'update'),
    ['start', 'split', ...round, ...round, 'end'],
  );
});

test('its records and its last line are as docs/schemas says', () => {
  const { volume, line } = finished;
  requireValidFile('run', join(volume, 'run.json'));
  requireValidFile('manifest', join(volume, 'data/manifest.json'));
  requireValidFile('round', join(volume, 'rounds/0001/round.json'));
  requireValidFile('round', join(volume, 'rounds/0002/round.json'));
  requireValidFile('accuracy', join(volume, 'accuracy.json'));
  requireValidLines('metrics-event', join(volume, 'metrics.jsonl'));
  requireValid('run-result', line);
});

test('a recorder elsewhere writes the same record of a round, norms and epochs with it', async () => {
  const volume = await copyOfFinished('recorded');
  const paths = volumePaths(volume);
  const { settings, threads, id } = await readRunRecord(paths.run);
  const before = await readRoundRecord(paths.round(2).record);
  const {
    aggregate,
    evaluation: _evaluation,
    seconds: _seconds,
    acrossClients: _across,
    ...trained
  } = before;
  assert.ok(aggregate !== undefined);
  const reported = trained.reported.map(
    ({ norm: _norm, cosine: _cosine, alone: _alone, shard: _shard, engine = '', sha256 = '', ...each }) => ({
      ...{ ...each, engine, sha256 },
    }),
  );
  const { round, parent, selected, quorum, learningRate } = before;
  const start = { round, parent, selected, quorum };
  const clients = before.reported.map(({ client, norm, cosine }) => ({ client, norm, cosine }));
  const { inputs: _inputs, ...made } = aggregate;
  await rm(paths.round(2).record);
  const facts = join(directory, 'facts.json');
  for (const [step, told] of Object.entries({
    open: { id, settings, threads, retries: 0 },
    trained: { ...start, learningRate, reported, missing: [] },
    tested: { ...start, aggregate: { ...made, rejected: [], clients }, seconds: { train: 1, aggregate: 1 } },
    end: {
      last: start,
      lastModel: finished.line.sha256,
      best: { round: finished.line.best.round, sha256: finished.line.best.sha256 },
      result: finished.line,
    },
  })) {
    await writeFile(facts, JSON.stringify(told));
    const { exitCode, stderr } = await runCommand('record', [
      ...['--step', step, '--volume', volume, '--facts', facts],
    ]);
    assert.equal(exitCode, 0, `${step}: ${stderr}`);
  }
  const after = await readRoundRecord(paths.round(2).record);
  const withoutTests = ({ reported: list }: typeof after) => list.map(({ alone: _, ...each }) => each);
  assert.deepEqual(withoutTests(after), withoutTests(before));
  assert.equal(after.aggregate?.inputs, aggregate.inputs);
});

test('the same command skips everything and ends with the same model', async () => {
  const { stdout, stderr } = await startHere(finished.volume);
  assert.equal(skippedStages(stderr).length, 8, stderr);
  assert.equal(lastLine({ stdout, stderr }).sha256, finished.line.sha256);
  assert.equal(lastLine({ stdout, stderr }).accuracy, finished.line.accuracy);
});

test('a name and tags are on record, the newest that are given, and change nothing else', async () => {
  const volume = await copyOfFinished('named');
  const record = join(volume, 'run.json');
  const before = await readRunRecord(record);
  assert.equal('name' in before || 'tags' in before, false);
  const named = await startHere(volume, '--name', 'the first', '--tag', 'a', '--tag=b=1');
  assert.equal(lastLine(named).sha256, finished.line.sha256);
  assert.equal(
    skippedStages(named.stderr).length,
    skippedStages((await startHere(volume, '--tag', 'c')).stderr).length,
  );
  assert.deepEqual(await readRunRecord(record), { ...before, name: 'the first', tags: ['c'] });
  requireValidFile('run', record);
  const wrong = await startHere(volume, '--tag', 'two words');
  assert.equal(wrong.exitCode, 2);
  assert.match(wrong.stderr, /Expected a word such as baseline or lr=0\.1: .*, found "two words"\./);
});

test('for people: the accuracy, a row per client, where the model lies', async () => {
  const { stdout, stderr, exitCode } = await execa(
    process.execPath,
    [program, 'run', '--data', data, '--volume', finished.volume, ...SETTINGS],
    { cwd: directory },
  );
  assert.equal(exitCode, 0);
  assert.match(
    stdout,
    /^\naccuracy 0\.\d{4}, loss \d+\.\d{4} after 2 rounds \(\d+ of 36 test examples right\)\n/,
  );
  assert.match(stdout, /client +examples +seconds +accuracy alone +accuracy of the average\n/);
  assert.equal([...stdout.matchAll(/^ +[012] +108 +\d+\.\d +[01]\.\d{4} +[01]\.\d{4}$/gm)].length, 3, stdout);
  assert.match(stdout, /^model {3}finished\/aggregated-model\.h5$/m);
  assert.match(stderr, /^Going on with finished: 3 clients, 2 rounds, /);
});

test('--quiet leaves the result; a log of JSON holds it too, with the tables of the text', async () => {
  const again = (more: readonly string[], env: NodeJS.ProcessEnv = {}) =>
    execa(
      process.execPath,
      [program, 'run', '--data', data, '--volume', finished.volume, ...SETTINGS, ...more],
      { cwd: directory, env },
    );
  const quiet = await again(['--quiet'], { FORCE_COLOR: '1' });
  const log = await again(['--log-format', 'json']);
  assert.equal(quiet.stderr, '');
  const [, headline = ''] = quiet.stdout.split('\n');
  assert.match(stripVTControlCharacters(headline), /^accuracy 0\.\d{4}, loss .* test examples right\)$/);
  assert.equal(headline, styleText('bold', stripVTControlCharacters(headline), { validateStream: false }));
  assert.match(
    quiet.stdout,
    /\nreport {2}finished\/report\.html\nwatch {3}npx fedbatch watch finished\nserve {3}/,
  );
  assert.match(quiet.stdout, /\nserve {3}npx fedbatch serve --model finished\/aggregated-model\.h5$/);
  requireValid('run-result', JSON.parse(log.stdout));
  const lines = log.stderr.split('\n').map((line) => JSON.parse(line));
  const rounds = lines.filter(({ event }) => event === 'round');
  assert.deepEqual(
    rounds.map(({ round, participation }) => [round, participation]),
    [1, 2].map((round) => [round, { selected: 3, reported: 3, rejected: 0, missing: 0 }]),
  );
  assert.equal(rounds[1].best.round, lineSchema.parse(JSON.parse(log.stdout)).best.round);
  const { level, time, event, msg, clients, ...result } = lines.at(-1);
  assert.deepEqual([level, event], ['info', 'result']);
  assert.deepEqual(result, JSON.parse(log.stdout));
  const record = await readRoundRecord(join(finished.volume, 'rounds', '0002', 'round.json'));
  assert.deepEqual(
    clients.map(({ client, alone }: { client: number; alone: { accuracy: number } }) => [
      client,
      alone.accuracy,
    ]),
    record.reported.map(({ client, alone }) => [client, alone?.accuracy]),
  );
});

test('the same seed gives the same bytes, however many trainers run side by side; another seed others', async () => {
  const one = lastLine(await startHere(join(directory, 'one'), '--jobs', '1', '--rounds', '1'));
  const { aggregate } = await readRoundRecord(join(finished.volume, 'rounds', '0001', 'round.json'));
  assert.equal(one.sha256, aggregate?.sha256);
  const fewer = ['--rounds', '1', '--fraction', '0.34', '--min-clients', '1'];
  const other = lastLine(await startHere(join(directory, 'other'), ...fewer, '--seed', '1'));
  const first = await readRoundRecord(join(directory, 'other', 'rounds', '0001', 'round.json'));
  const before = await readRoundRecord(join(finished.volume, 'rounds', '0001', 'round.json'));
  assert.equal(other.sha256, first.aggregate?.sha256);
  assert.notEqual(first.parent, before.parent);
  const [trained, ...more] = first.reported;
  assert.ok(trained !== undefined && more.length === 0);
  assert.notEqual(trained.sha256, before.reported[trained.client]?.sha256);
  assert.equal(
    new Set(before.reported.map(({ sha256 }) => sha256)).size,
    3,
    'each client learns in its own way',
  );
});

test('an update that is damaged, or gone, is made again, and the result is the same', async () => {
  const volume = await copyOfFinished('damaged');
  await truncate(join(volume, 'rounds', '0002', 'updates', '1.h5'), 1000);
  await rm(join(volume, 'rounds', '0001', 'updates', '2.h5'));
  const { stdout, stderr } = await startHere(volume);
  assert.match(stderr, /train +round 1: 2 of 3 clients, done before: skipped\n/);
  assert.match(stderr, /train +round 2: 2 of 3 clients, done before: skipped\n/);
  assert.equal(lastLine({ stdout, stderr }).sha256, finished.line.sha256);
  const update = (root: string) => readFileSync(join(root, 'rounds', '0002', 'updates', '1.h5'));
  assert.ok(update(volume).equals(update(finished.volume)));
});

test('so is every other file of a run', async () => {
  const volume = await copyOfFinished('altered');
  for (const path of [
    'data/1.npz',
    'rounds/0001/global.h5',
    'rounds/0002/global.h5',
    'aggregated-model.h5',
  ]) {
    const bytes = await readFile(join(volume, path));
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    await rm(join(volume, path));
    await writeFile(join(volume, path), bytes);
  }
  await writeFile(join(volume, 'accuracy.json'), '{"accuracy":1}');
  await writeFile(join(volume, 'rounds', '0001', 'round.json'), '{"schemaVersion":');
  await rm(join(volume, 'best-model.h5'));
  assert.equal(lastLine(await startHere(volume)).sha256, finished.line.sha256);
  for (const path of [
    ...['data/1.npz', 'rounds/0001/global.h5', 'rounds/0002/global.h5'],
    ...['aggregated-model.h5', 'best-model.h5'],
  ]) {
    assert.ok((await readFile(join(volume, path))).equals(await readFile(join(finished.volume, path))), path);
  }
});

test('a volume of other settings is refused, with the settings and the way out', async () => {
  const volume = await copyOfFinished('changed');
  const refused = await startHere(volume, '--epochs', '1', '--seed', '4');
  assert.equal(refused.exitCode, 2);
  assert.equal(refused.stdout, '');
  assert.match(
    refused.stderr,
    /changed holds a run of other settings \(--seed 0, now 4; --epochs 2, now 1\): choose another directory with --volume, or start over there with --fresh\./,
  );
});

test('a directory of other things is no volume, not even with --fresh', async () => {
  const volume = join(directory, 'precious');
  await cp(data, join(volume, 'thesis.npz'));
  const { exitCode, stderr } = await startHere(volume, '--fresh');
  assert.equal(exitCode, 2);
  assert.match(stderr, /precious holds files of something else than a fedbatch run \("thesis\.npz"\)/);
  assert.deepEqual(readdirSync(volume), ['thesis.npz']);
});

test('--fresh starts over: it removes the files of the run, and none that the user put beside them', async () => {
  const volume = await copyOfFinished('mixed');
  const mine = ['data/thesis.txt', 'rounds/notes.txt', 'rounds/0002/plot.png', 'model/best.h5', 'todo.txt'];
  for (const path of mine) await writeFile(join(volume, path), 'mine');
  const others = ['--epochs', '1', '--seed', '4', '--clients', '2', '--rounds', '1'];
  const fresh = await startHere(volume, ...others, '--fresh');
  assert.equal(lastLine(fresh).rounds, 1);
  assert.notEqual(lastLine(fresh).sha256, finished.line.sha256);
  assert.deepEqual(skippedStages(fresh.stderr), []);
  for (const path of mine) assert.equal(await readFile(join(volume, path), 'utf8'), 'mine', path);
  assert.deepEqual(readdirSync(join(volume, 'rounds')).sort(), ['0001', '0002', 'notes.txt']);
  assert.deepEqual(readdirSync(join(volume, 'rounds', '0002')).sort(), ['global.h5', 'plot.png']);
  assert.deepEqual(readdirSync(join(volume, 'model')).sort(), ['0-model.h5', '1-model.h5', 'best.h5']);
  assert.equal(existsSync(join(volume, 'data', '2.npz')), false);
});

for (const [name, content, found] of [
  ['of something else', '{"mine":1}', /found a fault at schemaVersion: /],
  ['that is cut off', '{"schemaVersion":1,"id":"d', /found no JSON \(/],
] as const) {
  test(`a run.json ${name}: nothing is removed, not even with --fresh, which is not advised`, async () => {
    const volume = join(directory, `foreign ${name}`);
    await cp(data, join(volume, 'data', '0.npz'));
    await writeFile(join(volume, 'data', 'thesis.txt'), 'mine');
    await writeFile(join(volume, 'run.json'), content);
    const before = readdirSync(volume, { recursive: true }).map(String).sort();
    for (const flags of [[], ['--fresh']]) {
      const { exitCode, stderr } = await startHere(volume, ...flags);
      assert.equal(exitCode, 3, stderr);
      assert.match(stderr, found);
      assert.match(stderr, /choose another directory with --volume, or remove \S.* by hand if nothing in it/);
      assert.doesNotMatch(stderr, /--fresh/);
      assert.deepEqual(readdirSync(volume, { recursive: true }).map(String).sort(), before);
    }
  });
}

test('a dataset inside of the volume is refused, and stays', async () => {
  const volume = await copyOfFinished('around');
  const inside = join(volume, 'data', 'd.npz');
  await cp(data, inside);
  const link = join(directory, 'way-in');
  await symlink(volume, link);
  for (const path of [inside, join(link, 'data', 'd.npz')]) {
    const { exitCode, stderr } = await startHere(volume, '--data', path, '--fresh');
    assert.equal(exitCode, 2, stderr);
    assert.match(stderr, /error: --data \S+d\.npz is inside the volume \S+around: choose another/);
  }
  assert.ok((await readFile(inside)).equals(await readFile(data)));
  assert.ok(existsSync(join(volume, 'aggregated-model.h5')));
});

test('a dataset that changed since is noticed', async (t) => {
  const volume = await copyOfFinished('moved');
  const original = join(directory, 'original.npz');
  await rename(data, original);
  t.after(() => rename(original, data));
  assert.match((await startHere(volume)).stderr, /tiny\.npz: expected a dataset .*, found no such file/);
  await cp(await writeTinyDataset(await mkdtemp(join(directory, 'more-')), 200), data);
  const { exitCode, stderr } = await startHere(volume);
  assert.equal(exitCode, 2);
  assert.match(stderr, /sha256 of the dataset [0-9a-f]{64}, now [0-9a-f]{64}/);
});

test('a threshold that is missed: exit code 4, after the result', async () => {
  const { exitCode, stdout, stderr } = await startHere(finished.volume, '--min-accuracy', '1');
  assert.ok(lastLine({ stdout, stderr }).accuracy < 1);
  assert.equal(exitCode, 4);
  assert.match(stderr, /error: The accuracy 0\.\d+ is below the required 1\.$/);
  const [failure] = eventsOf(finished.volume, 'failure');
  assert.deepEqual([failure?.stage, failure?.exitCode], ['evaluate', 4]);
  assert.match(String(failure?.next), /is finished, and its model lies there.*--min-accuracy/);
  const easy = await startHere(finished.volume, '--min-accuracy', '0.5');
  assert.equal(easy.exitCode, 0);
});

test('a file that is no dataset is refused before anything is written', async () => {
  const bad = join(directory, 'no.npz');
  await writeFile(bad, 'no zip at all');
  const volume = join(directory, 'no-run');
  const { exitCode, stderr } = await startHere(volume, '--data', bad);
  assert.equal(exitCode, 3);
  assert.match(stderr, /error: .*no\.npz: expected an npz/);
  assert.equal(existsSync(volume), false);
});

test('updates that are rejected fail the round, and round.json says which and why', async () => {
  const volume = join(directory, 'diverged');
  // So large a step that the weights overflow.
  const diverging = ['--rounds', '1', '--clients', '2', '--optimizer', 'sgd', '--learning-rate', '1e30'];
  const { exitCode, stderr } = await startHere(volume, ...diverging);
  assert.equal(exitCode, 4, stderr);
  assert.match(stderr, /error: aggregate: .*Expected at least 2 good client updates, found 0 \(2 rejected\)/);
  assert.match(stderr, /^train +round 1: 2 of 2 clients reported, training loss not finite /m);
  assert.match(stderr, /updates\/0\.h5: holds (NaN|Infinity|-Infinity) in dense/);
  assert.doesNotMatch(stderr, /this is a bug/);
  const record = await readRoundRecord(join(volume, 'rounds', '0001', 'round.json'));
  assert.equal(record.reported.length, 2);
  assert.deepEqual(
    record.rejected.map((each) => 'client' in each && each.client),
    [0, 1],
  );
  for (const { reason } of record.rejected) assert.match(reason, /finite|NaN|infinit/i);
  assert.equal(record.failure?.stage, 'aggregate');
  assert.match(record.failure?.reason ?? '', /found 0 \(2 rejected\)/);
  assert.equal(record.aggregate, undefined);
});

test('a stray file among the updates is recorded by its name, and does not count', async () => {
  const volume = await copyOfFinished('stray');
  await writeFile(join(volume, 'rounds', '0001', 'updates', 'foo.h5'), 'no model');
  await rm(join(volume, 'rounds', '0002', 'global.h5'));
  assert.equal(lastLine(await startHere(volume)).sha256, finished.line.sha256);
  const { rejected, failure } = await readRoundRecord(join(volume, 'rounds', '0001', 'round.json'));
  assert.deepEqual(
    rejected.map((each) => 'file' in each && each.file),
    ['foo.h5'],
  );
  assert.equal(failure, undefined);
});

test('a trainer that dies ends the run and the other trainers; the same command goes on', async () => {
  const volume = join(directory, 'bereft');
  const settings = ['--data', data, ...SETTINGS, '--rounds', '1', '--clients', '2', '--retries', '0'];
  // The other one would never end.
  const struck = { 0: 'SIGSTOP', 1: 'SIGKILL' } as const;
  const { exitCode, stderr } = await endStruckRun(volume, settings, struck);
  assert.equal(exitCode, 5, stderr);
  assert.match(stderr, /error: train client 1: was killed \(SIGKILL\), perhaps because memory ran out\.$/);
  assert.deepEqual(runningWith(volume), []);
  const again = await endRun(volume, settings);
  assert.equal(again.exitCode, 0, again.stderr);
  assert.match(again.stderr, /^init .* skipped$/m);
});

test('two runs on one volume: the second one is told who holds it', async () => {
  const volume = join(directory, 'shared');
  const settings = ['--rounds', '1', '--clients', '1', '--epochs', '20'];
  const first = start(volume, ...settings);
  await waitFor(() => existsSync(join(volume, 'run.json')));
  const second = await startHere(volume, ...settings);
  assert.equal(second.exitCode, 2);
  assert.match(
    second.stderr,
    new RegExp(`in use by another run \\(process ${first.pid}, since .*\\): wait for it`),
  );
  assert.equal((await first).exitCode, 0);
});

test('SIGINT to all of its processes, as a terminal sends Ctrl-C, stops everything, says how to go on, and loses nothing that is finished', () =>
  requireStopped(join(directory, 'stopped'), ['--data', data, ...SETTINGS], 'SIGINT'));

test('trainers do not outlive a pipeline that is killed alone', async () => {
  const volume = join(directory, 'stopped');
  const run = start(volume, '--epochs', '3000', '--rounds', '1', '--clients', '2');
  await waitFor(() => trainingFor(volume).length === 2);
  run.kill('SIGKILL');
  await waitFor(() => runningWith(volume).length === 0);
});

test('with --serve the page answers until it is stopped, and that is a good end', async () => {
  const run = execa(
    process.execPath,
    [program, 'run', '--data', data, '--volume', finished.volume, ...SETTINGS, '--serve', '--port', '0'],
    { cwd: directory, reject: false },
  );
  let output = '';
  run.stdout.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  await waitFor(() => /page {4}http:\S+/.test(output));
  const [, address = ''] = /page {4}(http:\S+)/.exec(output) ?? [];
  const answer = await fetch(`${address}/readyz`);
  assert.equal(answer.status, 200);
  run.kill('SIGINT');
  const { exitCode, stderr } = await run;
  assert.equal(exitCode, 0, stderr);
  assert.deepEqual(runningWith(finished.volume), []);
});
