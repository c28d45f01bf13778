/** `fedbatch aggregate --group` and `--groups`: the bytes of one aggregation of all updates, or one clear sentence. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { DataError, ThresholdError, UsageError } from '../lib/core/errors.js';
import { randomStream } from '../lib/core/random.js';
import type { Weights } from '../lib/core/weights.js';
import type { UpdateFacts } from '../lib/federation/client-update.js';
import type { StrategySettings } from '../lib/federation/strategies/strategy-settings.js';
import { sha256 } from '../lib/formats/files/read-file.js';
import { readGroup } from '../lib/formats/group-file.js';
import { writeHdf5 } from '../lib/formats/hdf5/hdf5-writer.js';
import { writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { silentReporter } from '../lib/observability/events.js';
import { runCommand } from '../test/program-host.js';
import { type AggregateOptions, aggregateUpdates } from './aggregate.js';
import { aggregateGroup, aggregateGroups } from './group.js';

const CLIENTS = 12;
const KERNEL = [3, 1];
const ADAM: StrategySettings = {
  name: 'fedadam',
  serverLearningRate: 0.01,
  beta1: 0.9,
  beta2: 0.99,
  tau: 1e-3,
};

let root: string;
let parent: string;
let parentHash: string;
let made = 0;
const at = (name: string) => join(root, name);
const next = () => at(`out-${made++}.h5`);
const bytesOf = async (file: string) => sha256(await readFile(file));

/** Weights of many sizes, so that float64 sums would round. */
function weightsOf(seed: number, shape = KERNEL): Weights {
  const random = randomStream(seed, 'group test');
  const values = () => random.normal() * 2 ** Math.round(40 * (random.uniform() - 0.5));
  const size = shape.reduce((product, extent) => product * extent, 1);
  return [
    { name: 'dense/kernel:0', shape, values: Float32Array.from({ length: size }, values) },
    { name: 'dense/bias:0', shape: [1], values: Float32Array.from({ length: 1 }, values) },
  ];
}

function write(name: string, weights: Weights, update?: UpdateFacts): Promise<string> {
  const input = weights[0]?.shape[0];
  const layers = [
    { class_name: 'Dense', config: { name: 'dense', units: 1, batch_input_shape: [null, input] } },
  ];
  const modelConfig = { class_name: 'Sequential', config: { name: 'sequential', layers } };
  return writeKerasFile(at(name), {
    modelConfig,
    kerasVersion: '2.15.0',
    weights,
    ...(update ? { update, extras: { effectiveSteps: 1 + update.client / 3 } } : {}),
  });
}

const facts = (client: number): UpdateFacts => ({
  client,
  round: 1,
  examples: 7 * client + 1,
  parent: parentHash,
});
const clientFile = (client: number) => at(`client-${client}.h5`);
const all = Array.from({ length: CLIENTS }, (_, client) => client);

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'fedbatch-'));
  parent = at('global.h5');
  parentHash = await write('global.h5', weightsOf(100));
  for (const client of all) await write(`client-${client}.h5`, weightsOf(client), facts(client));
});
after(() => rm(root, { recursive: true }));

const level = (strategy: StrategySettings = { name: 'fedavg' }) => ({
  parent,
  minUpdates: 1,
  strategy,
  reporter: silentReporter,
});
async function group(clients: readonly number[], strategy?: StrategySettings): Promise<string> {
  const saveFile = next();
  await aggregateGroup({ ...level(strategy), group: 'g', files: clients.map(clientFile), saveFile });
  return saveFile;
}
async function flat(options: Partial<AggregateOptions> = {}): Promise<string> {
  const saveFile = next();
  await aggregateUpdates({
    ...level(options.strategy),
    files: all.map(clientFile),
    seed: 0,
    saveFile,
    ...options,
  });
  return saveFile;
}

describe('aggregation by groups', () => {
  const strategies = [
    { name: 'fedavg' },
    ADAM,
    { name: 'fedavg', clipNorm: 0.75 },
    { name: 'fednova' },
  ] as const;
  for (const strategy of strategies) {
    it(`gives the bytes of all updates at once, however they are grouped: ${JSON.stringify(strategy)}`, async () => {
      const whole = await bytesOf(await flat({ strategy }));
      const wholeGroup = await bytesOf(await group(all, strategy));
      const split = fc.tuple(
        fc.shuffledSubarray(all, { minLength: CLIENTS }),
        fc.integer({ min: 1, max: CLIENTS - 1 }),
        fc.integer({ min: 1, max: CLIENTS - 1 }),
      );
      await fc.assert(
        fc.asyncProperty(split, async ([order, a, b]) => {
          const [first, last] = [Math.min(a, b), Math.max(a, b)];
          const parts = [order.slice(0, first), order.slice(first, last), order.slice(last)];
          const groups: string[] = [];
          for (const part of parts) if (part.length > 0) groups.push(await group(part, strategy));
          const saveFile = next();
          const result = await aggregateGroups({ ...level(strategy), groups, saveFile });
          assert.equal(result.updates, CLIENTS);
          assert.equal(result.examples, 7 * 66 + CLIENTS);
          assert.equal(result.sha256, whole);
          assert.equal(await bytesOf(saveFile), whole);
          const merged = next();
          await aggregateGroups({ ...level(strategy), groups, group: 'g', saveFile: merged });
          assert.equal(await bytesOf(merged), wholeGroup);
        }),
        { numRuns: 6 },
      );
    });
  }

  it('takes the bytes that one client moves', async () => {
    assert.notEqual(
      await bytesOf(await flat({ files: all.slice(1).map(clientFile) })),
      await bytesOf(await flat()),
    );
  });

  it('tells its clients, and rejects updates as an aggregation of updates does', async () => {
    await write('zero.h5', weightsOf(3), { ...facts(30), examples: 0 });
    await write('plain.h5', weightsOf(4));
    const saveFile = next();
    const files = [...[5, 2].map(clientFile), at('zero.h5'), at('plain.h5')];
    const result = await aggregateGroup({ ...level(), group: 'site a', files, saveFile });
    assert.deepEqual(
      result.rejected.map(({ reason }) => reason),
      ['counts 0 examples', 'tells no client, and a group lists its clients'],
    );
    const { clients, group: name, sums, ...more } = await readGroup(saveFile);
    assert.deepEqual(
      clients,
      await Promise.all(
        [2, 5].map(async (client) => ({
          client,
          examples: facts(client).examples,
          sha256: await bytesOf(clientFile(client)),
        })),
      ),
    );
    assert.equal(name, 'site a');
    assert.deepEqual([more.round, more.parent, sums.totalWeight], [1, parentHash, result.examples]);
  });

  it('needs enough updates in all groups together', async () => {
    const groups = [await group([0, 1]), await group([2])];
    const options = { ...level(), groups, saveFile: next() };
    await assert.rejects(
      aggregateGroups({ ...options, minUpdates: 4 }),
      (error: unknown) =>
        error instanceof ThresholdError && /at least 4 good client updates, found 3/.test(error.message),
    );
    assert.equal((await aggregateGroups({ ...options, minUpdates: 3 })).updates, 3);
  });
});

describe('a group that does not fit', () => {
  const refused = async (groups: readonly string[], message: RegExp, options = {}) => {
    const saveFile = next();
    await assert.rejects(
      aggregateGroups({ ...level(), groups, saveFile, ...options }),
      (error: unknown) => error instanceof DataError && message.test(error.message),
    );
    await assert.rejects(readFile(saveFile), /ENOENT/);
  };

  it('ends the aggregation with its name and the reason', async () => {
    const good = await group([0, 1]);
    const otherHash = await write('other.h5', weightsOf(200));
    const place = async (name: string, weights: Weights, change: Partial<UpdateFacts>) => {
      await write(name, weights, { ...facts(8), ...change });
      const saveFile = next();
      await aggregateGroup({ ...level(), parent: undefined, group: 'h', files: [at(name)], saveFile });
      return saveFile;
    };
    await refused(
      [good, await group([1, 2])],
      /out-\d+\.h5: expected clients that no other group has, found client 1, who is in .*out-\d+\.h5 too\./,
    );
    await refused([good, good], /found client 0, who is in/);
    await refused(
      [good, await place('r2.h5', weightsOf(8), { round: 2 })],
      /expected updates of round 1, found updates of round 2/,
    );
    await refused(
      [good, await place('p2.h5', weightsOf(8), { parent: otherHash })],
      /expected updates of the global model .*found updates of the global model/,
    );
    await refused([good], /expected updates of the global model/, { parent: at('other.h5') });
    await refused(
      [good, await place('s2.h5', weightsOf(8, [4, 1]), {})],
      /expected dense\/kernel:0 \[3,1\] as in .*global\.h5, found dense\/kernel:0 \[4,1\]/,
    );
    const clipped = await group([4], { name: 'fedavg', clipNorm: 0.5 });
    await refused([good, clipped], /expected updates that are not clipped, found updates clipped to 0\.5/);
    await refused([good], /expected updates clipped to 0\.25, found updates that are not clipped/, {
      strategy: { name: 'fedavg', clipNorm: 0.25 },
    });
    const nova = { name: 'fednova' } as const;
    const normalised = await group([4], nova);
    await refused(
      [good, normalised],
      /expected sums of weights alone, found sums made with --strategy fednova/,
    );
    await refused(
      [normalised, good],
      /expected sums made with --strategy fednova, found sums of weights alone/,
      {
        strategy: nova,
      },
    );
  });

  it('is no group, or damaged', async () => {
    const good = await group([0, 1]);
    await refused(
      [good, clientFile(3)],
      /client-3\.h5: expected the sums of a group .*found another HDF5 file/,
    );
    await refused([good, at('nowhere.h5')], /nowhere\.h5: expected the sums of a group/);
    const bytes = await readFile(good);
    await writeFile(at('cut.h5'), bytes.subarray(0, bytes.length >> 1));
    await refused([at('cut.h5'), good], /cut\.h5: expected an HDF5 file, found a (truncated|damaged) file/);
    const { sums: _sums, ...told } = await readGroup(good);
    const forged = async (change: object, values: readonly number[]) => {
      const arrays = [{ name: 'dense/kernel:0', shape: KERNEL, parts: 1 }];
      const bytes = await writeHdf5((hdf5) => {
        hdf5.bytes(
          '/group',
          new TextEncoder().encode(JSON.stringify({ format: 1, ...told, arrays, ...change })),
        );
        for (const name of ['/sums', '/sums/0']) hdf5.group(name);
        hdf5.floats('/sums/0/0', { shape: [values.length], values: Float64Array.from(values) });
      });
      await writeFile(at('forged.h5'), bytes);
      return [at('forged.h5')];
    };
    await refused(
      await forged({}, [1, Number.NaN, 3]),
      /expected finite numbers at \/sums\/0\/0, found NaN at position 1/,
    );
    await refused(await forged({}, [1, 2]), /expected 3 numbers at \/sums\/0\/0, found 2/);
    await refused(await forged({ round: 0 }, [1, 2, 3]), /expected the facts of the sums of a group/);
    await refused(
      await forged({}, [1, 2, 3]),
      /expected dense\/bias:0 \[1\] as in .*, found no further array/,
    );
  });

  it('goes with no strategy that looks at each update', async () => {
    const groups = [await group([0, 1])];
    const privacy = { clip: 1, noise: 1, delta: 1e-5, noiseSource: 'system' } as const;
    for (const [strategy, message] of [
      [{ name: 'median' }, /--strategy median does not go with groups/],
      [{ name: 'krum', byzantine: 1, clipNorm: 1 }, /--strategy krum does not go with groups/],
      [{ name: 'fedavg', privacy }, /--dp-clip does not go with groups/],
      [
        { name: 'fedavg', clipNorm: 'auto' },
        /--clip-norm auto does not go with groups: it is the median over all/,
      ],
    ] as const) {
      const options = { ...level(strategy), saveFile: next() };
      const isRefusal = (error: unknown) => error instanceof UsageError && message.test(error.message);
      await assert.rejects(aggregateGroups({ ...options, groups }), isRefusal);
      await assert.rejects(aggregateGroup({ ...options, group: 'g', files: [clientFile(0)] }), isRefusal);
    }
  });
});

describe('fedbatch aggregate --group', () => {
  const run = (...args: readonly string[]) => runCommand('aggregate', args);

  it('is followed by --groups', async () => {
    const [a, b, out] = [at('a.h5'), at('b.h5'), at('model.h5')];
    const files = [all.slice(0, 5), all.slice(5)].map((clients) => clients.map(clientFile));
    const first = await run(...(files[0] ?? []), '--group', 'a', '--out', a);
    assert.equal(first.exitCode, 0, first.stderr);
    await run(...(files[1] ?? []), '--group', 'b', '--parent', parent, '--out', b);
    const { stdout, stderr, exitCode } = await run('--groups', b, a, '--out', out);
    assert.equal(exitCode, 0, stderr);
    const { updates, sha256: hash } = JSON.parse(stdout);
    assert.deepEqual([updates, hash], [CLIENTS, await bytesOf(await flat())]);
    const twice = await run('--groups', a, a, '--out', at('x.h5'));
    assert.deepEqual([twice.exitCode, twice.stdout], [3, '']);
  });

  it('refuses options that contradict each other', async () => {
    for (const [message, ...args] of [
      [/either --groups or updates/, '--groups', 'a.h5', '--dir', root],
      [/do not go with --group/, clientFile(0), '--group', 'a', '--state-out', at('s.h5')],
      [/--clip-norm starts from the global model/, clientFile(0), '--group', 'a', '--clip-norm', '1'],
      [/x\.h5 cannot be a group and the result as well/, '--groups', at('x.h5')],
    ] as const) {
      const { exitCode, stderr } = await run(...args, '--out', at('x.h5'));
      assert.equal(exitCode, 2, stderr);
      assert.match(stderr, message);
    }
  });
});
