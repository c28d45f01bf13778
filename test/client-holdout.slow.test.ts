/** Runs whose clients hold examples out: models are tested client by client, by processes and by a simulation alike, and records tell. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import type { AccuracyRecord } from '../lib/formats/accuracy-record.js';
import { writeShard } from '../lib/formats/data/shard-file.js';
import type { RoundRecord } from '../lib/formats/run-record.js';
import type { RunSummary } from '../lib/formats/run-results.js';
import { writeTinyDataset } from './datasets.js';
import { runCommand } from './program-host.js';
import { requireValid, requireValidFile } from './results.js';
import { endRun, endStruckRun, eventsOf, roundOf } from './runs.js';
import { sharedDirectory } from './temporary-directory.js';

describe('a run whose clients hold examples out', () => {
  let directory = '';
  let flags: readonly string[] = [];
  const at = (name: string) => join(directory, name);
  const read = <T>(volume: string, file: string) =>
    JSON.parse(readFileSync(join(at(volume), file), 'utf8')) as T;
  const results: Record<string, RunSummary> = {};

  async function finish(volume: string, more: readonly string[] = []): Promise<void> {
    const { exitCode, stdout, stderr } = await endRun(at(volume), [...flags, ...more]);
    assert.equal(exitCode, 0, stderr);
    results[volume] = JSON.parse(stdout) as RunSummary;
  }

  before(async () => {
    directory = sharedDirectory();
    flags = [
      ...['--data', await writeTinyDataset(directory, 150), '--clients', '4', '--partition', 'quantity-skew'],
      ...['--min-examples', '12'],
      ...['--fraction', '0.5', '--rounds', '2', '--batch', '16', '--threads', '1', '--model', 'mlp'],
      ...['--client-holdout', '0.2'],
    ];
    await finish('real');
    await finish('simulated', ['--simulate', '--jobs', '2']);
  });

  it('is tested by its trainers before and after their training, as the evaluator would test it', async () => {
    const evaluate = async (model: string, client: number) => {
      const out = at('one.json');
      const data = join(at('real'), 'data', `${client}-test.npz`);
      const { exitCode, stderr } = await runCommand('evaluate', [
        ...['--model', join(at('real'), model), '--data', data, '--out', out, '--threads', '1'],
      ]);
      assert.equal(exitCode, 0, stderr);
      const { examples, loss, accuracy, metrics } = JSON.parse(readFileSync(out, 'utf8')) as AccuracyRecord;
      return { examples, loss, accuracy, metrics };
    };
    const { reported } = await roundOf(at('real'), 2);
    assert.equal(reported.length, 2);
    for (const { client, heldOut } of reported) {
      assert.ok(heldOut !== undefined);
      const { examples, before, after } = heldOut;
      assert.deepEqual({ examples, ...before }, await evaluate('rounds/0002/global.h5', client));
      assert.deepEqual({ examples, ...after }, await evaluate(`rounds/0002/updates/${client}.h5`, client));
      const { perClient = [] } = read<AccuracyRecord>('real', 'accuracy.json');
      const { client: _, ...global } = perClient.find((each) => each.client === client) ?? { client };
      assert.deepEqual(global, await evaluate('aggregated-model.h5', client));
    }
  });

  it('is simulated with the same figures', async () => {
    const facts = ({ reported, acrossClients, evaluation }: RoundRecord) => ({
      ...{ acrossClients, of: evaluation?.acrossClients },
      reported: reported.map(({ client, examples, heldOut }) => ({ client, examples, heldOut })),
    });
    for (const round of [1, 2]) {
      const [real, simulated] = [await roundOf(at('real'), round), await roundOf(at('simulated'), round)];
      assert.ok(real.reported.every(({ heldOut }) => heldOut));
      assert.deepEqual(facts(simulated), facts(real));
    }
    const tests = ({ perClient, acrossClients }: AccuracyRecord) => ({ perClient, acrossClients });
    assert.deepEqual(tests(read('simulated', 'accuracy.json')), tests(read('real', 'accuracy.json')));
    assert.equal(results.simulated?.sha256, results.real?.sha256);
  });

  it('tells mean, spread and worst tenth of all clients, in records as the schemas say', async () => {
    const record = await roundOf(at('real'), 2);
    requireValid('round', record);
    requireValidFile('accuracy', join(at('real'), 'accuracy.json'));
    requireValid('run-result', results.real);
    const { perClient = [], acrossClients } = read<AccuracyRecord>('real', 'accuracy.json');
    assert.equal(perClient.length, 4);
    const values = perClient.map(({ metrics }) => metrics?.accuracy ?? Number.NaN);
    const mean = values.reduce((sum, value) => sum + value, 0) / 4;
    assert.equal(acrossClients?.accuracy?.clients, 4);
    assert.ok(Math.abs((acrossClients?.accuracy?.mean ?? 0) - mean) < 1e-12);
    assert.equal(acrossClients?.accuracy?.worstDecile, Math.min(...values));
    assert.deepEqual(record.evaluation?.acrossClients, acrossClients);
    assert.deepEqual(results.real?.acrossClients, { ...record.acrossClients, global: acrossClients });
    assert.deepEqual(results.real?.perClient, perClient);
    const trained = record.reported.map(({ heldOut }) => heldOut?.after.metrics?.accuracy ?? Number.NaN);
    assert.equal(record.acrossClients?.after?.accuracy?.worstDecile, Math.min(...trained));
    const [, event] = eventsOf(at('real'), 'round');
    assert.deepEqual(event?.acrossClients, record.acrossClients);
    const report = readFileSync(join(at('real'), 'report.html'), 'utf8');
    assert.match(report, /<h2>How it is for each client<\/h2>/);
    assert.match(report, /after local training, each its own<\/th><td>2<\/td>/);
    assert.match(report, /new global model, all clients<\/th><td>4<\/td>/);
  });

  it('comes to the same when a trainer is killed, and when it goes on to more rounds', async () => {
    const one = flags.map((word, index) => (flags[index - 1] === '--rounds' ? '1' : word));
    const struck = await endStruckRun(at('struck'), one, {
      0: 'SIGKILL',
      1: 'SIGKILL',
      2: 'SIGKILL',
      3: 'SIGKILL',
    });
    assert.equal(struck.exitCode, 0, struck.stderr);
    await finish('struck');
    const tests = async (volume: string) =>
      Promise.all(
        [1, 2].map(async (round) => {
          const { reported, acrossClients, evaluation } = await roundOf(at(volume), round);
          return [reported.map(({ heldOut }) => heldOut), acrossClients, evaluation?.acrossClients];
        }),
      );
    assert.ok(eventsOf(at('struck'), 'retry').length > 0);
    assert.deepEqual(await tests('struck'), await tests('real'));
    assert.equal(results.struck?.sha256, results.real?.sha256);
  });

  it('can be tested client by client afterwards, on either kind of volume', async () => {
    for (const volume of ['real', 'simulated']) {
      const { exitCode, stdout, stderr } = await runCommand('evaluate', [
        ...['--model', join(at(volume), 'aggregated-model.h5'), '--per-client', '--threads', '1'],
        ...['--out', at('again.json')],
      ]);
      assert.equal(exitCode, 0, stderr);
      assert.match(stderr, /^accuracy of 4 clients: \d\.\d{4} on average .*, worst tenth \d\.\d{4}$/m);
      assert.match(stdout, /^\d+\/\d+ - \d+s - loss: \d\.\d{4} - acc: \d\.\d{4}$/);
      const figures = (text: AccuracyRecord & { readonly checksum?: string }) => {
        const { seconds: _, model: _model, checksum: _checksum, ...rest } = text;
        return rest;
      };
      const again = JSON.parse(readFileSync(at('again.json'), 'utf8')) as AccuracyRecord;
      assert.deepEqual(figures(again), figures(read<AccuracyRecord>(volume, 'accuracy.json')));
    }
  });
});

describe('a private run whose clients hold examples out', () => {
  it('warns that no epsilon covers their figures', async () => {
    const directory = sharedDirectory();
    const flags = ['--data', await writeTinyDataset(directory, 40), '--clients', '2', '--model', 'mlp'];
    const { exitCode, stderr } = await endRun(join(directory, 'run'), [
      ...[...flags, '--epochs', '1', '--client-holdout', '0.2', '--dp-clip', '1', '--dp-noise', '1'],
    ]);
    assert.equal(exitCode, 0, stderr);
    assert.match(
      stderr,
      /Differential privacy covers the global models, and not how they do on what each client/,
    );
  });
});

describe('evaluate --per-client', () => {
  it('refuses a split whose clients hold nothing out, and files of no split', async () => {
    const directory = sharedDirectory();
    const data = await writeTinyDataset(directory, 40);
    const out = join(directory, 'data');
    const init = ['--data', data, '--model', 'mlp', '--out', join(directory, 'm.h5')];
    assert.equal((await runCommand('split', ['--data', data, '--clients', '2', '--out', out])).exitCode, 0);
    assert.equal((await runCommand('init', init)).exitCode, 0);
    for (const [file, found] of [
      [join(out, 'test.npz'), 'that they hold nothing out'],
      [data, 'no manifest that lists the test examples'],
    ] as const) {
      const { exitCode, stderr } = await runCommand('evaluate', [
        ...['--model', join(directory, 'm.h5'), '--data', file, '--per-client'],
        ...['--out', join(directory, 'a.json')],
      ]);
      assert.equal(exitCode, 3, stderr);
      const expected =
        /manifest\.json: expected a split whose clients hold examples out \(.*--client-holdout\), found /;
      assert.match(stderr, expected);
      assert.ok(stderr.trimEnd().endsWith(`found ${found}.`), stderr);
    }
  });
});

describe('train --client-test', () => {
  it('refuses a file that is missing, but for a client that its split left with nothing to hold out', async () => {
    const directory = sharedDirectory();
    const data = await writeTinyDataset(directory, 6);
    const out = join(directory, 'data');
    const split = ['--data', data, '--clients', '4', '--test-fraction', '0.2', '--client-holdout', '0.5'];
    assert.equal((await runCommand('split', [...split, '--out', out])).exitCode, 0);
    const train = (client: number, test: string) =>
      runCommand('train', [
        ...['--data', join(out, `${client}.npz`), '--client-test', join(out, test), '--model', 'mlp'],
        ...['--classes', '4', '--epochs', '1', '--out', join(directory, 'u.h5')],
      ]);
    const [tested, alone, lost] = [
      await train(0, '0-test.npz'),
      await train(3, '3-test.npz'),
      await train(0, '7-test.npz'),
    ];
    assert.equal(tested.exitCode, 0, tested.stderr);
    assert.equal(JSON.parse(tested.stdout).heldOut.examples, 1);
    assert.equal(alone.exitCode, 0, alone.stderr);
    assert.equal(JSON.parse(alone.stdout).heldOut, undefined);
    assert.equal(lost.exitCode, 3);
    assert.match(lost.stderr, /7-test\.npz: expected .*found no such file/);
  });

  it('gives the metrics of numbers, too, and none of a training that has diverged', async () => {
    const directory = sharedDirectory();
    const values = Float32Array.from({ length: 60 }, (_, at) => Math.sin(at));
    const shard = join(directory, 'numbers.npz');
    await writeShard(shard, {
      inputs: [{ name: 'x', shape: [30, 2], values }],
      targets: [{ name: 'y', shape: [30, 1], values: values.filter((_, at) => at % 2 === 0) }],
    });
    const train = (...more: readonly string[]) =>
      runCommand('train', [
        ...['--data', shard, '--client-test', shard, '--model', 'mlp', '--epochs', '20'],
        ...['--out', join(directory, 'u.h5'), ...more],
      ]);
    const { exitCode, stdout, stderr } = await train();
    assert.equal(exitCode, 0, stderr);
    const { before, after } = JSON.parse(stdout).heldOut;
    assert.deepEqual([before.task, after.task], ['regression', 'regression']);
    assert.ok(after.metrics.rmse < before.metrics.rmse);
    const diverged = await train('--optimizer', 'sgd', '--learning-rate', '1e30');
    assert.equal(diverged.exitCode, 0, diverged.stderr);
    assert.deepEqual(JSON.parse(diverged.stdout).heldOut.after, { loss: null });
  });
});
