/** `fedbatch aggregate --strategy …` by hand: results, the server's state from round to round, and refusals. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { execa } from 'execa';
import type { Weights } from '../lib/core/weights.js';
import type { ServerState, WeightedUpdate } from '../lib/federation/strategies/strategy.js';
import { strategyNamed } from '../lib/federation/strategies/strategy-named.js';
import type { StrategySettings } from '../lib/federation/strategies/strategy-settings.js';
import { sha256 } from '../lib/formats/files/read-file.js';
import { readKerasFile, writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { readServerState } from '../lib/formats/server-state-file.js';
import type { AggregateResult } from '../lib/formats/stage-results.js';
import { killedAt } from '../test/processes.js';
import { runCommand } from '../test/program-host.js';
import { programPath } from '../test/programs.js';

const modelConfig = {
  class_name: 'Sequential',
  config: {
    name: 'sequential',
    layers: [{ class_name: 'Dense', config: { name: 'dense', units: 1, batch_input_shape: [null, 3] } }],
  },
};
const weightsOf = (...values: number[]): Weights => [
  { name: 'dense/kernel:0', shape: [3, 1], values: Float32Array.from(values.slice(0, 3)) },
  { name: 'dense/bias:0', shape: [1], values: Float32Array.from(values.slice(3)) },
];
const GLOBAL = weightsOf(1, -1, 0.5, 0);
/** Clients 0 to 6; the last two are far from all others. */
const MODELS = [
  [1.5, -1, 0.25, 0.1],
  [1, -1.5, 0.5, 0.2],
  [0.75, -1, 0.5, -0.1],
  [1.25, -0.5, 1, 0],
  [1, -1.25, 0.75, 0.05],
  [1e6, 1e6, -1e6, 1e6],
  [-1e5, 1e5, 1e5, 1e5],
].map((values) => weightsOf(...values));
const updates: readonly WeightedUpdate[] = MODELS.map((weights, client) => ({
  weights,
  examples: 10 * (client + 1),
  extras: { effectiveSteps: client + 1.5 },
}));

let root: string;
let parent: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'fedbatch-'));
  parent = join(root, 'global.h5');
  await writeModel('global.h5', GLOBAL);
  await writeUpdates('updates', parent, 1);
});
after(() => rm(root, { recursive: true }));

const at = (name: string) => join(root, name);
const writeModel = (name: string, weights: Weights) =>
  writeKerasFile(at(name), { modelConfig, kerasVersion: '2.15.0', weights });
const hashOf = async (file: string) => sha256(await readFile(file));

async function writeUpdates(directory: string, globalModel: string, round: number): Promise<void> {
  const facts = { round, parent: await hashOf(globalModel) };
  for (const [client, { weights, examples, extras = {} }] of updates.entries()) {
    const update = { client, examples, ...facts };
    await writeKerasFile(at(`${directory}/${client}.h5`), {
      modelConfig,
      kerasVersion: '2.15.0',
      weights,
      update,
      extras,
    });
  }
}

async function run(...args: readonly string[]) {
  const { exitCode, stdout, stderr } = await runCommand('aggregate', args);
  const last = stdout.trim().split('\n').at(-1) ?? '';
  return { exitCode, stderr, result: last === '' ? undefined : (JSON.parse(last) as AggregateResult) };
}
const runHere = (saveFile: string, ...args: readonly string[]) =>
  run('--dir', at('updates'), '--parent', parent, '--out', at(saveFile), ...args);

const start: ServerState = { round: 1, weights: GLOBAL };
const expected = async (settings: StrategySettings, state = start) =>
  strategyNamed(settings).aggregate(state, updates);

describe('frozen layers', () => {
  const config = {
    class_name: 'Sequential',
    config: {
      name: 'sequential',
      layers: ['fixed', 'dense'].map((name) => ({
        class_name: 'Dense',
        config: { name, units: 1, use_bias: false, trainable: name !== 'fixed' },
      })),
    },
  };
  const both = (fixed: number, trained: number): Weights =>
    [fixed, trained].map((value, index) => {
      const values = Float32Array.of(value, value / 3);
      return { name: `${index === 0 ? 'fixed' : 'dense'}/kernel:0`, shape: [2, 1], values };
    });

  it('stay as they are in the global model, whatever clients make of them', async () => {
    const file = { modelConfig: config, kerasVersion: '2.15.0' };
    await writeKerasFile(at('frozen.h5'), { ...file, weights: both(0.1, 1) });
    const facts = { round: 1, parent: await hashOf(at('frozen.h5')) };
    for (const client of [0, 1, 2]) {
      const update = { client, examples: client + 7, ...facts };
      await writeKerasFile(at(`frozen/${client}.h5`), {
        ...file,
        weights: both(client === 2 ? 5 : 0.1, client),
        update,
      });
    }
    for (const args of [[], ['--strategy', 'fedavgm'], ['--clip-norm', '0.5']]) {
      const out = `frozen-${args.length}.h5`;
      const given = ['--dir', at('frozen'), '--parent', at('frozen.h5'), '--out', at(out)];
      const { exitCode, stderr } = await run(...given, ...args);
      assert.equal(exitCode, 0, stderr);
      const { weights } = await readKerasFile(at(out));
      assert.deepEqual(weights[0], both(0.1, 1)[0]);
      assert.notDeepEqual(weights[1], both(0.1, 1)[1]);
    }
  });
});

describe('fedbatch aggregate --strategy', () => {
  const cases: readonly (readonly [StrategySettings, ...string[]])[] = [
    [{ name: 'fedavg' }],
    [{ name: 'median' }, '--strategy', 'median'],
    [{ name: 'trimmed-mean', trim: 2 }, '--strategy', 'trimmed-mean', '--trim', '2'],
    [{ name: 'krum', byzantine: 2 }, '--strategy', 'krum', '--byzantine', '2'],
    [
      { name: 'multi-krum', byzantine: 2, keep: 3 },
      ...['--strategy', 'multi-krum', '--byzantine', '2', '--krum-keep', '3'],
    ],
    [{ name: 'fedavg', clipNorm: 0.5 }, '--clip-norm', '0.5'],
    [{ name: 'median', clipNorm: 'auto' }, '--strategy', 'median', '--clip-norm', 'auto'],
    [{ name: 'fednova' }, '--strategy', 'fednova'],
    [
      { name: 'fedavgm', serverLearningRate: 0.5, serverMomentum: 0.25 },
      ...['--strategy', 'fedavgm', '--server-learning-rate', '0.5', '--server-momentum', '0.25'],
    ],
    [
      { name: 'fedyogi', serverLearningRate: 0.01, beta1: 0.9, beta2: 0.99, tau: 1e-3 },
      ...['--strategy', 'fedyogi'],
    ],
  ];
  for (const [settings, ...args] of cases) {
    it(args.join(' ') || 'none', async () => {
      const { exitCode, result, stderr } = await runHere('next.h5', ...args);
      assert.equal(exitCode, 0, stderr);
      assert.equal(result?.updates, 7);
      assert.equal(result?.sha256, await hashOf(at('next.h5')));
      assert.deepEqual((await readKerasFile(at('next.h5'))).weights, (await expected(settings)).weights);
    });
  }

  it('robust strategies leave two hostile clients without effect, where the mean is lost', async () => {
    const distance = async () => {
      const { weights } = await readKerasFile(at('next.h5'));
      return Math.max(
        ...weights.flatMap(({ values }, index) =>
          [...values].map((value, place) => Math.abs(value - (GLOBAL[index]?.values[place] as number))),
        ),
      );
    };
    await runHere('next.h5');
    assert.ok((await distance()) > 1e4);
    for (const args of [['median'], ['trimmed-mean', '--trim', '2'], ['krum', '--byzantine', '2']]) {
      await runHere('next.h5', '--strategy', ...args);
      assert.ok((await distance()) <= 0.5, args[0]);
    }
    // Their lengths are gone, their directions count.
    const { result } = await runHere('next.h5', '--clip-norm', 'auto');
    const norms = result?.clients?.map(({ norm }) => norm).toSorted((a, b) => a - b);
    assert.equal(result?.clipNorm, norms?.[3]);
    assert.ok((await distance()) <= (result?.clipNorm ?? 0));
  });
});

describe('what a strategy needs of updates beside weights', () => {
  it('is missed by name: those without do not count, and the others do', async () => {
    const directory = at('some-without');
    for (const client of [0, 1, 2, 3]) {
      const { extras: _, ...plain } = await readKerasFile(at(`updates/${client}.h5`));
      const extras = [
        { effectiveSteps: 2 },
        undefined,
        { effectiveSteps: Number.NaN },
        { effectiveSteps: plain.weights },
      ];
      await writeKerasFile(join(directory, `${client}.h5`), {
        ...plain,
        ...(extras[client] === undefined ? {} : { extras: extras[client] }),
      });
    }
    const args = ['--dir', directory, '--parent', parent, '--out', at('next.h5'), '--strategy', 'fednova'];
    const { exitCode, result, stderr } = await run(...args);
    assert.equal(exitCode, 0, stderr);
    assert.equal(result?.updates, 1);
    assert.deepEqual(
      result?.rejected.map(({ file, reason }) => `${file.slice(directory.length)} ${reason}`),
      [
        '/1.h5 lacks effectiveSteps, which the strategy needs of each update',
        '/2.h5 carries effectiveSteps that is NaN, not between 1 and 1000000000',
        '/3.h5 expected an array at /fedbatch_extras/effectiveSteps, found group',
      ],
    );
    await writeModel('plain.h5', GLOBAL);
    const named = await run(...args, at('plain.h5'));
    assert.deepEqual(
      named.result?.rejected.at(-1)?.reason,
      'is a plain model, and the strategy needs what its client did',
    );
  });

  it('SCAFFOLD takes the manifest, and no groups', async () => {
    const alone = await runHere('x.h5', '--strategy', 'scaffold');
    assert.equal(alone.exitCode, 2);
    assert.match(
      alone.stderr,
      /scaffold weighs updates by the examples of all clients: name the split's --manifest/,
    );
    const group = await runHere('x.h5', '--strategy', 'scaffold', '--group', 'a');
    assert.equal(group.exitCode, 2);
    assert.match(
      group.stderr,
      /--strategy scaffold does not go with groups: its server remembers whose updates/,
    );
  });

  it('nothing clips, and a private strategy has none', async () => {
    for (const bound of [
      ['--clip-norm', '1'],
      ['--dp-clip', '1', '--dp-noise', '1', '--dp-participants', '7', '--dp-population', '70'],
    ]) {
      const { exitCode, stderr } = await runHere('x.h5', '--strategy', 'fednova', ...bound);
      assert.equal(exitCode, 2);
      assert.match(
        stderr,
        /does not go with --strategy fednova: its updates carry effectiveSteps beside weights/,
      );
    }
  });
});

describe('the state of a server optimizer', () => {
  const ADAM = { name: 'fedadam', serverLearningRate: 0.1, beta1: 0.9, beta2: 0.99, tau: 1e-3 } as const;
  const FLAGS = ['--strategy', 'fedadam', '--server-learning-rate', '0.1'];

  it('goes from one round to the next, tells its model, and gives the same bytes again', async () => {
    const first = await runHere('g2.h5', ...FLAGS, '--state-out', at('s2.h5'));
    assert.equal(first.exitCode, 0, first.stderr);
    assert.equal(first.result?.state, await hashOf(at('s2.h5')));
    const second = await expected(ADAM);
    const file = await readServerState(at('s2.h5'));
    assert.deepEqual(file, {
      strategy: 'fedadam',
      round: 2,
      model: first.result?.sha256,
      slots: second.slots,
    });

    await writeUpdates('updates2', at('g2.h5'), 2);
    const goOn = (name: string, ...args: readonly string[]) =>
      run('--dir', at('updates2'), '--parent', at('g2.h5'), '--out', at(name), ...FLAGS, ...args);
    const next = await goOn('g3.h5', '--state-in', at('s2.h5'), '--state-out', at('s3.h5'));
    assert.equal(next.exitCode, 0, next.stderr);
    assert.deepEqual((await readKerasFile(at('g3.h5'))).weights, (await expected(ADAM, second)).weights);
    assert.doesNotMatch(next.stderr, /warning/);
    const again = await goOn('g3b.h5', '--state-in', at('s2.h5'), '--state-out', at('s3b.h5'));
    assert.deepEqual([again.result?.sha256, again.result?.state], [next.result?.sha256, next.result?.state]);

    const anew = await goOn('g3c.h5');
    assert.match(anew.stderr, /warning: fedadam starts anew in round 2: no --state-in/);
    assert.notEqual(anew.result?.sha256, next.result?.sha256);
  });

  it('of another model or strategy is refused, and nothing is written', async () => {
    await runHere('g2.h5', ...FLAGS, '--state-out', at('s2.h5'));
    const names = await readdir(root);
    const refused = async (message: RegExp, exitCode: number, ...args: readonly string[]) => {
      const found = await runHere('refused.h5', ...args);
      assert.equal(found.exitCode, exitCode, found.stderr);
      assert.match(found.stderr, message);
      assert.deepEqual(await readdir(root), names);
    };
    const state = ['--state-in', at('s2.h5')];
    await refused(
      /s2\.h5: expected the state that belongs to .*global\.h5 .*that of another/,
      3,
      ...FLAGS,
      ...state,
    );
    await refused(
      /expected the state of the strategy fedyogi, found that of fedadam/,
      3,
      '--strategy',
      'fedyogi',
      ...state,
    );
    await refused(/--state-in does not go with the strategy median/, 2, '--strategy', 'median', ...state);
    await refused(/--state-out does not go with the strategy fedavg,/, 2, '--state-out', at('x'));
    await refused(/expected the state .*found another HDF5 file/, 3, ...FLAGS, '--state-in', parent);
    await refused(/krum needs at least 9 updates, found 7\./, 4, '--strategy', 'krum', '--byzantine', '3');
  });

  it('and clipping take the global model', async () => {
    for (const args of [FLAGS, ['--clip-norm', '1']]) {
      const { exitCode, stderr } = await run('--dir', at('updates'), '--out', at('x.h5'), ...args);
      assert.equal(exitCode, 2);
      assert.match(stderr, /starts from the global model of the round: name it with --parent\./);
    }
  });
});

describe('a result that no round could start from', () => {
  const steps = ['fedavgm', 'fedadagrad', 'fedadam', 'fedyogi'].map((name) => [
    ...['--strategy', name, '--server-learning-rate', '1e39'],
  ]);
  const noise = ['--dp-clip', '1', '--dp-noise', '1e39', '--dp-participants', '7', '--dp-population', '70'];
  for (const args of [...steps, noise]) {
    it(`is refused, and nothing is written: ${args.slice(0, 2).join(' ')}`, async () => {
      // The key of noise is made before anything is known of the result.
      const files = async () => (await readdir(root)).filter((name) => name !== 'noise-key.json');
      const names = await files();
      const state = args === noise ? [] : ['--state-out', at('exploded.state')];
      const { exitCode, stderr } = await runHere('exploded.h5', ...args, ...state);
      assert.equal(exitCode, 3, stderr);
      assert.match(
        stderr,
        /exploded\.h5: expected a global model that the next round can start from, .* found that the model (holds -?Infinity in|has weights of norm)/,
      );
      assert.deepEqual(await files(), names);
    });
  }
});

describe('privacy', () => {
  const FLAGS = ['--dp-clip', '0.5', '--dp-noise', '1', '--dp-participants', '7', '--dp-population', '70'];

  it('tells ε after the round; noise repeats with the seed, and with the key that was made', async () => {
    const seeded = [...FLAGS, '--dp-noise-source', 'seed', '--seed', '3'];
    const [first, again, other] = [
      await runHere('p1.h5', ...seeded),
      await runHere('p2.h5', ...seeded),
      await runHere('p3.h5', ...FLAGS),
    ];
    assert.equal(first.exitCode, 0, first.stderr);
    assert.equal(again.result?.sha256, first.result?.sha256);
    assert.notEqual(other.result?.sha256, first.result?.sha256);
    assert.equal((await runHere('p4.h5', ...FLAGS)).result?.sha256, other.result?.sha256);
    const elsewhere = await runHere('p5.h5', ...FLAGS, '--dp-noise-file', at('other-key.json'));
    assert.notEqual(elsewhere.result?.sha256, other.result?.sha256);
    assert.deepEqual(other.result?.privacy, first.result?.privacy);
    const { epsilon, epsilonPoisson, delta } = first.result?.privacy ?? {};
    assert.ok((epsilon ?? 0) > (epsilonPoisson ?? 0) && (epsilonPoisson ?? 0) > 0.1);
    assert.equal(delta, 1e-5);
    const settings: StrategySettings = {
      name: 'fedavg',
      privacy: { clip: 0.5, noise: 1, delta: 1e-5, noiseSource: 'seed' },
    };
    const next = await strategyNamed(settings, { seed: 3, participants: 7 }).aggregate(start, updates);
    assert.deepEqual((await readKerasFile(at('p1.h5'))).weights, next.weights);
  });

  it('a kill at any operation: the same command makes the same model, and ε counts no more than was to be seen', async () => {
    const directory = await mkdtemp(join(root, 'killed-'));
    const [next, key] = [join(directory, 'next.h5'), join(directory, 'noise-key.json')];
    const args = ['--dir', at('updates'), '--parent', parent, '--out', next, ...FLAGS];
    const kill = (before: number) =>
      execa(process.execPath, [programPath('aggregator/cli'), ...args], {
        reject: false,
        env: killedAt({ program: 'aggregator/cli.js', path: directory, before }),
      });
    let expected: AggregateResult | undefined;
    let points = 0;
    for (let before = 1; ; before++) {
      await rm(next, { force: true });
      await rm(key, { force: true });
      const killed = await kill(before);
      if (killed.exitCode === 0) break;
      points += 1;
      assert.equal(killed.signal, 'SIGKILL', killed.stderr);
      // What somebody may have seen, and with which key it was made.
      const seen = await hashOf(next).catch(() => undefined);
      const secret = await readFile(key, 'utf8').catch(() => undefined);
      assert.ok(seen === undefined || (secret ?? '').includes('"round": 1'), 'a model that is not counted');
      const { exitCode, stderr, result } = await run(...args);
      assert.equal(exitCode, 0, stderr);
      if (seen !== undefined) assert.equal(result?.sha256, seen);
      if (secret !== undefined) {
        const keyOf = (text: string) => (JSON.parse(text) as { readonly key: string }).key;
        assert.equal(keyOf(await readFile(key, 'utf8')), keyOf(secret));
      }
      expected ??= result;
      assert.deepEqual(result?.privacy, expected?.privacy);
    }
    assert.ok(points >= 10, `${points} operations`);
    assert.equal(expected?.privacy?.redraws, undefined);
  });

  it('another set of updates under the same key gets other noise, and is counted', async () => {
    const directory = await mkdtemp(join(root, 'redrawn-'));
    const args = ['--dir', at('updates'), '--parent', parent, '--out', join(directory, 'next.h5')];
    const first = await run(...args, ...FLAGS);
    const fewer = await run(...args, ...FLAGS, '--clients', '0,1,2,3,4,5');
    assert.equal(fewer.exitCode, 0, fewer.stderr);
    const [once, twice] = [first.result?.privacy, fewer.result?.privacy];
    assert.deepEqual([once?.redraws, twice?.redraws], [undefined, 1]);
    assert.ok((twice?.epsilon ?? 0) > (once?.epsilon ?? 0));
    assert.deepEqual((await run(...args, ...FLAGS)).result?.sha256, first.result?.sha256);
    assert.deepEqual((await run(...args, ...FLAGS)).result?.privacy, twice);
  });

  it('refuses what would make its promise empty', async () => {
    const cases: readonly (readonly [RegExp, ...string[]])[] = [
      [/--dp-clip does not go with --strategy median/, ...FLAGS, '--strategy', 'median'],
      [/takes --dp-participants and --dp-population too/, ...FLAGS.slice(0, 4)],
      [/go with --dp-clip and --dp-noise alone/, ...FLAGS.slice(4)],
      [/--dp-participants 7 cannot be selected from --dp-population 6/, ...FLAGS.slice(0, 7), '6'],
      [/at most 6 updates/, ...FLAGS.slice(0, 4), '--dp-participants', '6', '--dp-population', '70'],
    ];
    for (const [message, ...args] of cases) {
      const { exitCode, stderr } = await runHere('x.h5', ...args);
      assert.equal(exitCode, 2, stderr);
      assert.match(stderr, message);
    }
  });
});
