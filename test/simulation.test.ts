/** `fedbatch run --simulate` from end to end: the bytes of the process runner, whatever happens on the way. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { execa } from 'execa';
import type { SaveReply, TrainReply } from '../lib/formats/simulation-messages.js';
import { writeTinyDataset } from './datasets.js';
import { longSimulation, requireStoppedSimulation } from './long-simulation.js';
import { runningWith, usageOf } from './processes.js';
import { programPath } from './programs.js';
import { requireValid } from './results.js';
import { endRun, eventsOf, finishRun, type ResultLine, roundOf, waitFor } from './runs.js';

let directory = '';
let data = '';
/** Three clients of 32 or 33 examples: a last batch that is not full, and one that is. */
let settings: readonly string[] = [];
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
  data = await writeTinyDataset(directory, 108);
  settings = ['--data', data, '--clients', '3', '--rounds', '2', '--batch', '16', '--threads', '1'];
});
after(() => rm(directory, { recursive: true, force: true }));

/** In a second of processor time: 140,000 where each step gives its memory back to the system, 500 to 1,000 else. */
const MOST_PAGES = 20_000;

const at = (volume: string) => join(directory, volume);
const bytesOf = (volume: string, file: string) => readFileSync(join(at(volume), file));
const MODELS = [1, 2, 3].map((round) => `rounds/000${round}/global.h5`);

/** A copy of a finished run as it was before its first round: split, with its initial model. */
async function copyBeforeRounds(from: string, to: string): Promise<void> {
  await cp(at(from), at(to), { recursive: true });
  for (const path of [...MODELS.slice(1).map(dirname), join('rounds', '0001', 'round.json')])
    await rm(join(at(to), path), { recursive: true, force: true });
  for (const name of ['aggregated-model.h5', 'best-model.h5', 'accuracy.json', 'metrics.jsonl'])
    await rm(join(at(to), name));
}

/** What a result line says of the models. */
const outcome = ({ accuracy, best, sha256, participation }: ResultLine) => ({
  accuracy,
  best,
  sha256,
  participation,
});

/** What must be the same, simulated or not. */
const CASES: Readonly<Record<string, readonly string[]>> = {
  'a convolutional one, some clients a round': ['--model', 'cnn', '--fraction', '0.6'],
  'a server optimizer behind updates clipped to their median norm, FedProx, a rate that decays, local steps':
    [
      ...['--model', 'mlp', '--strategy', 'fedadam', '--clip-norm', 'auto', '--proximal', '0.1'],
      ...['--learning-rate-decay', '0.5', '--local-steps', '7', '--clients', '2'],
    ],
  'a median of clipped updates, whole shards as batches': [
    ...['--model', 'mlp', '--strategy', 'median', '--clip-norm', '0.5', '--batch', 'all', '--rounds', '1'],
  ],
};

const nameOf = (what: string) => what.replaceAll(/\W+/g, '-');

for (const [what, flags] of Object.entries(CASES)) {
  test(`${what}: simulated with 1 and with 4 workers, every global model has the bytes of real clients'`, async () => {
    const name = nameOf(what);
    const real = await finishRun(at(`${name}-real`), [...settings, ...flags]);
    for (const jobs of [1, 4]) {
      const volume = `${name}-${jobs}`;
      if (jobs > 1) await copyBeforeRounds(`${name}-1`, volume);
      const simulated = await finishRun(at(volume), [
        ...[...settings, ...flags, '--simulate'],
        ...['--jobs', `${jobs}`],
      ]);
      assert.deepEqual(outcome(simulated), outcome(real));
      const models = MODELS.slice(0, real.rounds + 1);
      for (const file of [...models, 'aggregated-model.h5', 'best-model.h5']) {
        assert.ok(bytesOf(volume, file).equals(bytesOf(`${name}-real`, file)), `${file} of ${jobs} workers`);
      }
      for (let round = 1; round <= real.rounds; round++) {
        const [then, now] = await Promise.all([
          roundOf(at(`${name}-real`), round),
          roundOf(at(volume), round),
        ]);
        const facts = ({ reported }: typeof now) =>
          reported.map(({ client, examples, loss, accuracy, norm, cosine, epochs }) => [
            ...[client, examples, loss, accuracy, norm, cosine],
            epochs?.map((each) => [each.epoch, each.loss, each.accuracy, each.examples]),
          ]);
        assert.deepEqual(facts(now), facts(then));
        assert.deepEqual(now.selected, then.selected);
        assert.equal(now.learningRate, then.learningRate);
        assert.equal(now.aggregate?.state, then.aggregate?.state);
        assert.equal(now.aggregate?.clipNorm, then.aggregate?.clipNorm);
        const { seconds: _then, ...before } = then.evaluation ?? { seconds: 0 };
        const { seconds: _now, ...after } = now.evaluation ?? { seconds: 0 };
        assert.deepEqual(after, before);
        assert.equal(now.simulated?.jobs, Math.min(jobs, now.selected.length));
      }
    }
  });
}

test('a simulation leaves no files of clients, and goes on with nothing to do', async () => {
  const volume = at('whole');
  const flags = [...settings, '--model', 'mlp', '--simulate'];
  const first = await finishRun(volume, flags);
  const files = readdirSync(volume, { recursive: true }).map(String).sort();
  assert.deepEqual(
    files.filter((file) => file.startsWith('data/')),
    ['manifest.json', 'partition.npz', 'test.npz', 'train.npz'].map((name) => join('data', name)),
  );
  assert.ok(!files.some((file) => /updates|model\//.test(file)), files.join());
  const again = await finishRun(volume, flags);
  assert.deepEqual(outcome(again), outcome(first));
  assert.equal(eventsOf(volume, 'updates').length, 2, 'no client was trained again');
  const fresh = await finishRun(volume, [...flags, '--fresh']);
  assert.equal(fresh.sha256, first.sha256);
  assert.deepEqual(readdirSync(volume, { recursive: true }).map(String).sort(), files);
});

test('requests and replies of the simulator are as docs/schemas says', async () => {
  const volume = at('spoken');
  await cp(at('whole'), volume, { recursive: true });
  const file = join(volume, 'next.h5');
  const ask = [
    { request: 'train', round: 1, global: join(volume, MODELS[0] ?? ''), clients: [0, 1, 2] },
    { request: 'save', file, minUpdates: 3 },
    { request: 'evaluate', model: file, file: join(volume, 'accuracy.json') },
  ];
  const other = { ...ask[0], sha256: 'a'.repeat(64) };
  for (const request of [...ask, other]) requireValid('simulator-request', request);
  const simulate = (requests: readonly unknown[]) =>
    execa(
      process.execPath,
      [programPath('simulator/cli'), '--data', join(volume, 'data'), '--batch', '16', '--epochs', '2'],
      { input: requests.map((request) => `${JSON.stringify(request)}\n`).join(''), reject: false },
    );
  const refused = await simulate([other]);
  assert.equal(refused.exitCode, 3, refused.stderr);
  assert.match(refused.stderr, /expected the global model \(h5\) \(sha256 a{12}…\), found another one/);
  const { stdout, exitCode, stderr } = await simulate(ask);
  assert.equal(exitCode, 0, stderr);
  const replies = stdout.split('\n').map((line) => JSON.parse(line) as SaveReply & TrainReply);
  requireValid('simulator-train-reply', replies[0]);
  requireValid('simulator-save-reply', replies[1]);
  requireValid('simulator-evaluate-reply', replies[2]);
  assert.deepEqual(
    replies[1]?.clients?.map(({ client }) => client),
    [0, 1, 2],
  );
  assert.deepEqual(
    replies[0]?.reported.map(({ epochs = [] }) => epochs.map(({ epoch }) => epoch)),
    [0, 1, 2].map(() => [1, 2]),
  );
});

test('SIGINT stops the workers between two steps, and says how to go on', () =>
  requireStoppedSimulation(at('long'), settings, { signal: 'SIGINT', format: 'human' }));

test('a simulator that dies ends the run with one clear error', async () => {
  const { run, simulator } = await longSimulation(at('long'), settings);
  process.kill(simulator, 'SIGKILL');
  const { exitCode, stderr } = await run;
  assert.equal(exitCode, 5, stderr);
  assert.match(stderr, /error: simulate: was killed \(SIGKILL\), perhaps because memory ran out\.$/);
});

test('a simulator trains in the memory of the steps before', async () => {
  // An array of weights is larger than what glibc by default keeps.
  const { run, simulator } = await longSimulation(at('wide'), [...settings, '--hidden', '1024']);
  const before = usageOf(simulator);
  await waitFor(() => usageOf(simulator).seconds - before.seconds > 2);
  const after = usageOf(simulator);
  process.kill(-(run.pid as number), 'SIGKILL');
  await run;
  const pages = (after.pages - before.pages) / (after.seconds - before.seconds);
  assert.ok(pages < MOST_PAGES, `${Math.round(pages)} pages in a second of processor time`);
});

test('a simulator does not outlive a pipeline that is killed alone', async () => {
  const volume = at('long');
  const { run } = await longSimulation(volume, settings);
  run.kill('SIGKILL');
  await run;
  await waitFor(() => runningWith(volume).length === 0);
});

test('updates that are no good are named in round.json and fail the round; under a quorum it would go on', async () => {
  const volume = at('diverged');
  const flags = [
    ...settings,
    '--model',
    'mlp',
    '--optimizer',
    'sgd',
    '--learning-rate',
    '1e30',
    '--simulate',
  ];
  const { exitCode, stderr } = await endRun(volume, flags);
  assert.equal(exitCode, 4, stderr);
  assert.match(stderr, /Rejected the update of client 0: holds (NaN|Infinity|-Infinity) in dense/);
  assert.match(stderr, /error: simulate: .*Expected at least 3 good client updates, found 0 \(3 rejected\)/);
  const { rejected, reported, failure, aggregate } = await roundOf(volume, 1);
  assert.deepEqual(
    rejected.map((each) => 'client' in each && each.client),
    [0, 1, 2],
  );
  assert.equal(reported.length, 3);
  assert.equal(failure?.stage, 'aggregate');
  assert.equal(aggregate, undefined);
});

test('a deadline for clients that are never late is refused', async () => {
  const { exitCode, stderr } = await endRun(at('late'), [...settings, '--simulate', '--round-deadline', '5']);
  assert.equal(exitCode, 2);
  assert.match(stderr, /--round-deadline 5 does not go with --simulate/);
  assert.equal(existsSync(at('late')), false);
});

test('a volume of real clients is not resumed by simulation', async () => {
  const [[what, flags] = ['', []]] = Object.entries(CASES);
  const volume = at(`${nameOf(what)}-real`);
  assert.ok(existsSync(join(volume, 'aggregated-model.h5')), 'of the first test');
  const { exitCode, stderr } = await endRun(volume, [...settings, ...flags, '--simulate']);
  assert.equal(exitCode, 2);
  assert.match(stderr, /--simulate not given, now true/);
});
