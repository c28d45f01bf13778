/** The calls of the library: the job and its stages as functions, silent, with typed results and errors without flags. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import {
  aggregate,
  evaluate,
  type FinishedRun,
  partitions,
  run,
  runSeeds,
  StageError,
  split,
  strategies,
  ThresholdError,
  train,
  UsageError,
} from 'fedbatch';
import { readVolume } from 'fedbatch/files';
import { sha256 } from '../lib/formats/files/read-file.js';
import { writeTinyDataset } from '../test/datasets.js';
import { sharedDirectory } from '../test/temporary-directory.js';

let directory = '';
let data = '';
let finished: FinishedRun;
const told: string[] = [];

/** What all calls here have in common: small and quick. */
const settings = { model: { name: 'mlp' }, training: { epochs: 2, batch: 20 }, seed: 3 } as const;

before(async () => {
  directory = sharedDirectory();
  data = await writeTinyDataset(directory);
  finished = await run({
    ...settings,
    dataset: { name: data },
    federation: { clients: 2, rounds: 2, partition: { scheme: 'dirichlet', alpha: 0.9 } },
    strategy: { name: 'fedavgm', serverMomentum: 0.5 },
    tolerance: { quorum: '50%' },
    volume: join(directory, 'run'),
    threads: 1,
    reporter: { round: ({ round, rounds }) => void told.push(`${round} of ${rounds}`) },
  });
});

describe('run', () => {
  it('runs the job, tells its reporter, and returns what it came to', async () => {
    assert.equal(finished.rounds, 2);
    assert.ok((finished.accuracy ?? 0) > 0.3, `${finished.accuracy}`);
    assert.deepEqual(told, ['1 of 2', '2 of 2']);
    assert.equal(sha256(readFileSync(finished.model)), finished.sha256);
    const { run: record, state } = await readVolume(finished.volume);
    assert.equal(state?.kind, 'finished');
    assert.deepEqual(record.settings.strategy, {
      name: 'fedavgm',
      serverLearningRate: 1,
      serverMomentum: 0.5,
    });
    assert.deepEqual(record.settings.federation.partition, {
      scheme: 'dirichlet',
      alpha: 0.9,
      minExamples: 1,
    });
    assert.equal(record.settings.training.learningRate, 0.001);
  });

  it('names settings by their places, and stops before anything is written', async () => {
    const volume = join(directory, 'refused');
    const refused = (options: object, message: RegExp) =>
      assert.rejects(run({ dataset: { name: data }, volume, ...options }), (error: Error) => {
        assert.ok(error instanceof UsageError, `${error}`);
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /--/);
        return true;
      });
    await refused(
      { training: { epochs: 0 } },
      /^training\.epochs: expected a whole number of at least 1, found 0\.$/,
    );
    await refused(
      { training: { epoch: 1 } },
      /^there is no setting training\.epoch\. Did you mean training\.epochs\?$/,
    );
    await refused(
      { training: { epochs: 1, localSteps: 2 } },
      /training\.epochs 1 and training\.localSteps 2 contradict/,
    );
    await refused(
      { federation: { clients: 2, fraction: 0.1 } },
      /federation\.fraction 0\.1 selects none of 2 clients/,
    );
    await refused({ federation: { clients: 2 }, strategy: { name: 'krum' } }, /^strategy\.name krum with /);
    assert.ok(!existsSync(volume));
  });

  it('is rejected below an accuracy that has to be reached, with the run finished', async () => {
    const again = {
      ...settings,
      dataset: { name: data },
      federation: { clients: 2, rounds: 2, partition: { scheme: 'dirichlet', alpha: 0.9 } },
      strategy: { name: 'fedavgm', serverMomentum: 0.5 },
      volume: finished.volume,
      threads: 1,
      minAccuracy: 1,
    } as const;
    await assert.rejects(run(again), ThresholdError);
  });

  it('ends by its signal, with its reason, and leaves no process behind', async () => {
    const stop = new AbortController();
    const why = new Error('enough');
    const running = run({
      ...settings,
      ...{ dataset: { name: data }, volume: join(directory, 'stopped'), signal: stop.signal },
      reporter: { info: () => stop.abort(why) },
    });
    await assert.rejects(running, why);
    assert.ok(!readdirSync(join(directory, 'stopped')).some((name) => name.includes('lock')));
  });

  it('says why a stage failed', async () => {
    const missing = join(directory, 'missing.npz');
    await assert.rejects(run({ dataset: { name: missing } }), /missing\.npz/);
    assert.ok(new StageError('train', 'why') instanceof Error);
  });
});

describe('the stages', () => {
  it('do a round by hand, file by file', async () => {
    const at = (name: string) => join(directory, 'by-hand', name);
    const summary = await split({
      dataset: { name: data },
      federation: { clients: 2 },
      seed: 3,
      out: at('data'),
    });
    assert.deepEqual([summary.shards, summary.skipped], [2, false]);
    const results = [];
    for (const client of [0, 1]) {
      results.push(
        await train({
          ...settings,
          data: at(`data/${client}.npz`),
          out: at(`updates/${client}.h5`),
          threads: 1,
        }),
      );
    }
    assert.deepEqual(
      results.map(({ client, round }) => [client, round]),
      [
        [0, 1],
        [1, 1],
      ],
    );
    const aggregated = await aggregate({ updates: at('updates'), out: at('aggregated-model.h5') });
    assert.equal(aggregated.updates, 2);
    assert.equal(aggregated.sha256, sha256(readFileSync(at('aggregated-model.h5'))));
    const { accuracy, examples } = await evaluate({ model: at('aggregated-model.h5'), threads: 1 });
    assert.equal(examples, summary.test);
    assert.ok((accuracy ?? 0) > 0.3, `${accuracy}`);
    assert.ok(!existsSync(at('accuracy.json')), 'written only where it is asked for');
  });

  it('refuse in the words of their options', async () => {
    const out = join(directory, 'x.h5');
    await assert.rejects(aggregate({ updates: [], out }), UsageError);
    await assert.rejects(
      split({ dataset: { name: data }, out: join(directory, 'x') }),
      /^UsageError: Expected federation\.clients, the number of shards: federation\.partition\.scheme iid needs it\.$/,
    );
    await assert.rejects(
      train({ data, out, model: { name: 'vgg' as 'mlp' } }),
      /^UsageError: model\.name: expected one of cnn, mlp/,
    );
  });

  it('refuse what is no option of theirs, and values that no option takes', async () => {
    const out = join(directory, 'x.h5');
    const wrong: readonly (readonly [() => Promise<unknown>, string])[] = [
      [() => run({ trainning: {} } as object), 'there is no setting trainning. Did you mean training?'],
      [() => run(null as unknown as object), 'Expected options by name, found null.'],
      [
        () => run({ jobs: 'x' as unknown as number }),
        'jobs: expected a whole number of at least 1, found "x".',
      ],
      [() => run({ minAccuracy: 7 }), 'minAccuracy: expected a number from 0 to 1, found 7.'],
      [() => runSeeds({ seeds: 1 }), 'seeds: expected a whole number from 2 to 1000, found 1.'],
      [
        () => runSeeds({} as { seeds: number }),
        'seeds: expected a whole number from 2 to 1000, found nothing.',
      ],
      [() => train({ data } as Parameters<typeof train>[0]), 'out: expected a path, found nothing.'],
      [() => train({ data, out, threads: 0 }), 'threads: expected a whole number from 1 to 1024, found 0.'],
      [() => evaluate({ model: out, batch: 0 }), 'batch: expected a whole number of at least 1, found 0.'],
      [
        () => aggregate({ updates: [], out }),
        'updates: expected files of updates or a directory, found none.',
      ],
      [
        () => aggregate({ updates: directory, out, strategy: { privacy: { clip: 1, noise: 1 } } }),
        'Differential privacy takes dpParticipants and dpPopulation too.',
      ],
    ];
    for (const [call, message] of wrong) await assert.rejects(call, { name: 'UsageError', message });
    await assert.rejects(
      train({ data, out, strategy: { name: 'x' as 'fedavg' } }),
      /^UsageError: strategy\.name: expected one of fedavg, /,
    );
  });
});

describe('the registries', () => {
  it('tell names, meanings and parameters', () => {
    const fedadam = strategies.find(({ name }) => name === 'fedadam');
    assert.equal(fedadam?.parameters.beta2?.default, 0.99);
    const dirichlet = partitions.find(({ scheme }) => scheme === 'dirichlet');
    assert.deepEqual(Object.keys(dirichlet?.parameters ?? {}), ['alpha']);
    assert.ok(partitions.every(({ meaning }) => meaning !== ''));
  });
});
