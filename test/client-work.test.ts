/** What the clients of a run do: FedSGD is a step on all data, schedules reach the trainers, contradictions are refused. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { assertClose } from '../lib/engine/conformance/engine-runs.js';
import { readKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { readRoundRecord } from '../lib/formats/run-record.js';
import { writeTinyDataset } from './datasets.js';
import { runCommand } from './program-host.js';
import { sharedDirectory } from './temporary-directory.js';

/** The same bytes as by processes, at less cost. */
const SIMULATED = ['--simulate', '--jobs', '1'];

describe('what clients of a run do', () => {
  let directory: string;
  let data: string;
  const path = (name: string) => join(directory, name);
  const run = async (volume: string, ...args: readonly string[]) => {
    const common = ['--data', data, '--volume', path(volume), '--model', '2nn', '--threads', '1', '--json'];
    return runCommand('run', [...common, '--optimizer', 'sgd', ...args], { cwd: directory });
  };

  before(async () => {
    directory = sharedDirectory();
    data = await writeTinyDataset(directory, 50);
  });

  it('averages single steps on whole shards to a step on all examples, whatever the number of clients (simulated)', async () => {
    const fedSgd = ['--local-steps', '1', '--batch', 'all', '--momentum', '0', '--learning-rate', '0.5'];
    const weightsOf = async (clients: number) => {
      const volume = `sgd-${clients}`;
      const { exitCode, stderr } = await run(volume, '--clients', `${clients}`, ...fedSgd, ...SIMULATED);
      assert.equal(exitCode, 0, stderr);
      return (await readKerasFile(path(`${volume}/aggregated-model.h5`))).weights;
    };
    const [central, federated] = [await weightsOf(1), await weightsOf(3)];
    for (const [index, { name: what, values }] of central.entries()) {
      assertClose(federated[index]?.values, values, { what, tolerance: 1e-5 });
    }
  });

  it('passes the rate of each round to the trainers, and records it', async () => {
    const schedule = ['--learning-rate', '0.1', '--learning-rate-decay', '0.25', '--scale-learning-rate'];
    const common = ['--rounds', '2', '--clients', '2', '--epochs', '1', '--proximal', '0.01'];
    const { exitCode, stderr } = await run('decay', ...common, ...schedule);
    assert.equal(exitCode, 0, stderr);
    const rates = [0.2, 0.05];
    for (const [index, rate] of rates.entries()) {
      const round = join(path('decay'), 'rounds', `000${index + 1}`);
      assert.equal((await readRoundRecord(join(round, 'round.json'))).learningRate, rate);
      // By hand, with that rate: the same update.
      const byHand = await runCommand('train', [
        ...['--data', join(path('decay'), 'data', '1.npz'), '--init', join(round, 'global.h5')],
        ...['--client', '1', '--round', `${index + 1}`, '--epochs', '1', '--optimizer', 'sgd'],
        ...['--learning-rate', `${rate}`, '--proximal', '0.01', '--threads', '1'],
        ...['--out', path('by-hand.h5')],
      ]);
      assert.equal(byHand.exitCode, 0, byHand.stderr);
      assert.deepEqual(await readFile(path('by-hand.h5')), await readFile(join(round, 'updates', '1.h5')));
    }
    const metrics = (await readFile(join(path('decay'), 'metrics.jsonl'), 'utf8')).trim().split('\n');
    const updates = metrics.map((line) => JSON.parse(line)).filter(({ event }) => event === 'update');
    assert.deepEqual(
      updates.map(({ learningRate }) => learningRate),
      [0.2, 0.2, 0.05, 0.05],
    );
  });

  it('goes its own way for every setting of a run (simulated)', async () => {
    const common = ['--rounds', '1', '--clients', '1', '--epochs', '2', '--batch', '10', ...SIMULATED];
    const first = await run('plain', ...common);
    assert.equal(first.exitCode, 0, first.stderr);
    const other = await run('plain', ...common, '--proximal', '0.5');
    assert.equal(other.exitCode, 2);
    assert.match(other.stderr, /--proximal not given, now 0\.5/);
    const held = await run('held', ...common, '--proximal', '0.5');
    assert.notEqual(JSON.parse(held.stdout).sha256, JSON.parse(first.stdout).sha256);
  });

  const refused: readonly (readonly [string, readonly string[], RegExp])[] = [
    [
      'epochs and steps at once',
      ['--epochs', '2', '--local-steps', '5'],
      /--epochs 2 and --local-steps 5 contradict each other: give one of them/,
    ],
    ['no steps', ['--local-steps', '0'], /Expected a whole number of at least 1, found "0"/],
    ['a batch in words', ['--batch', 'some'], /Expected a whole number of at least 1, or all, found "some"/],
    ['a negative pull', ['--proximal', '-1'], /Expected a number of at least 0, found "-1"/],
    [
      'a rate that would grow',
      ['--learning-rate-decay', '1.1'],
      /Expected a number above 0, up to 1, or cosine, found "1\.1"/,
    ],
    [
      'nothing but warm-up',
      ['--rounds', '3', '--warm-up-rounds', '3'],
      /--warm-up-rounds 3 leaves none of --rounds 3 at the full learning rate: at most 2 can warm up/,
    ],
  ];
  for (const [what, args, message] of refused) {
    it(`refuses ${what} before anything runs`, async () => {
      const { exitCode, stderr, stdout } = await run('refused', ...args);
      assert.equal(exitCode, 2, stderr);
      assert.match(stderr, message);
      assert.equal(stdout, '');
      await assert.rejects(readFile(path('refused/run.json')), { code: 'ENOENT' });
    });
  }
});
