/** Models that are averaged in pieces: the same bytes as of whole ones, the same measures and refusals. */
import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DataError } from '../lib/core/errors.js';
import { sizeOf, type Weights } from '../lib/core/weights.js';
import { strategyNamed } from '../lib/federation/strategies/strategy-named.js';
import { FEDAVG, type StrategySettings } from '../lib/federation/strategies/strategy-settings.js';
import { createUpdateMeter } from '../lib/federation/update-measures.js';
import { withOpenFile } from '../lib/formats/files/byte-source.js';
import { sha256 } from '../lib/formats/files/read-file.js';
import type { KerasFile } from '../lib/formats/keras/keras-file.js';
import { encodeKerasFile, readKerasFile, writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { silentReporter } from '../lib/observability/events.js';
import { aggregateUpdates } from './aggregate.js';
import { openLargeRound } from './large-round.js';

/** Kernels of several pieces, of which one has rows that divide none; a frozen layer; arrays too small for pieces. */
const SHAPES = { first: [1, 140_003], frozen: [140_003, 7], last: [7, 150_001] } as const;
const modelConfig = {
  class_name: 'Sequential',
  config: {
    name: 'sequential',
    layers: Object.entries(SHAPES).map(([name, [inputs, units]], at) => ({
      class_name: 'Dense',
      config: {
        ...{ name, units, use_bias: true, trainable: name !== 'frozen' },
        ...(at === 0 ? { batch_input_shape: [null, inputs] } : {}),
      },
    })),
  },
};

/** Weights that depend on `seed`, without a pattern that pieces could share. */
function weightsOf(seed: number): Weights {
  let state = seed * 2_654_435_761 + 1;
  const next = () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    return (state >> 8) / 2 ** 24;
  };
  const array = (name: string, shape: readonly number[]) => ({
    name,
    shape: [...shape],
    values: Float32Array.from({ length: sizeOf(shape) }, next),
  });
  return Object.entries(SHAPES).flatMap(([name, shape]) => [
    array(`${name}/kernel:0`, shape),
    array(`${name}/bias:0`, [shape[1]]),
  ]);
}

const model = (weights: Weights): KerasFile => ({ modelConfig, kerasVersion: '2.15.0', weights });
const GLOBAL = weightsOf(0);
const EXAMPLES = [100, 33, 7];
const UPDATES = EXAMPLES.map((examples, client) => ({
  client,
  examples,
  weights: weightsOf(client + 1),
  extras: { effectiveSteps: client + 1.5 },
}));

describe('a round of a large model', () => {
  let root: string;
  let parent: string;
  let parentHash: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'fedbatch-'));
    parent = join(root, 'global.h5');
    parentHash = await writeKerasFile(parent, model(GLOBAL));
    for (const { client } of UPDATES) await put('updates', client);
  });
  after(() => rm(root, { recursive: true }));

  const put = (directory: string, client: number, change: Partial<KerasFile> = {}) => {
    const { weights, examples, extras } = UPDATES[client] as (typeof UPDATES)[number];
    const update = { client, examples, round: 3, parent: parentHash };
    const file = { ...model(weights), update, extras, ...change };
    return writeKerasFile(join(root, directory, `${client}.h5`), file);
  };
  const aggregate = (directory: string, strategy: StrategySettings = FEDAVG) =>
    aggregateUpdates({
      ...{ directory: join(root, directory), files: [], saveFile: join(root, `${directory}-next.h5`) },
      ...{ parent, strategy, seed: 0, reporter: silentReporter },
    });
  /** The file that the strategy gives, with all in memory. */
  const expectedHash = async (clients: readonly number[], settings: StrategySettings) => {
    const updates = clients.map((client) => UPDATES[client] as (typeof UPDATES)[number]);
    const { weights } = await strategyNamed(settings).aggregate({ round: 3, weights: GLOBAL }, updates);
    const kept = weights.map((array, index) =>
      array.name.startsWith('frozen/') ? (GLOBAL[index] as (typeof GLOBAL)[number]) : array,
    );
    return sha256(await encodeKerasFile(model(kept)));
  };

  it('is one that is averaged in pieces', async () => {
    const round = await openLargeRound(parent);
    assert.deepEqual(
      round?.parent.model.weights.map(({ values }) => values.length > 0),
      [false, false, false, true, false, false],
    );
    assert.equal(round?.parent.sha256, parentHash);
    await assert.rejects(openLargeRound(parent, 'a'.repeat(64)), /found another one/);
  });

  for (const name of ['fedavg', 'fednova'] as const) {
    it(`has the bytes that ${name} gives of whole models`, async () => {
      const { updates, sha256: hash, clients } = await aggregate('updates', { name });
      assert.equal(updates, 3);
      assert.equal(hash, await expectedHash([0, 1, 2], { name }));
      const meter = createUpdateMeter(GLOBAL, { most: 3 });
      for await (const _ of meter.pass(UPDATES));
      assert.deepEqual(clients, meter.found());
      assert.equal(sha256(await encodeKerasFile(await readKerasFile(join(root, 'updates-next.h5')))), hash);
    });
  }

  it('leaves out an update whose last number is not finite, by its name and place', async () => {
    const weights = weightsOf(2);
    const last = weights[4]?.values as Float32Array;
    last[last.length - 1] = Number.NaN;
    for (const client of [0, 2]) await put('poisoned', client);
    await put('poisoned', 1, { weights });
    const { rejected, sha256: hash } = await aggregate('poisoned');
    assert.deepEqual(
      rejected.map(({ reason }) => reason),
      [`holds NaN in last/kernel:0 at position ${last.length - 1}`],
    );
    assert.equal(hash, await expectedHash([0, 2], FEDAVG));
  });

  it('writes nothing that no round could start from', async () => {
    const huge = (client: number) =>
      (UPDATES[client] as (typeof UPDATES)[number]).weights.map((array) => ({
        ...array,
        values: array.values.map((value) => (array.name === 'last/kernel:0' ? 1e16 : value)),
      }));
    // Each is within bounds; FedNova's step from them is not.
    for (const client of [0, 1]) {
      const extras = { effectiveSteps: client === 0 ? 1 : 1e6 };
      await put('huge', client, { weights: huge(client), extras });
    }
    const failed = aggregate('huge', { name: 'fednova' });
    await assert.rejects(
      failed,
      /expected a global model that the next round can start from, made by fednova/,
    );
    assert.deepEqual(
      (await readdir(root)).filter((name) => name.startsWith('huge-') || name.startsWith('.tmp-')),
      [],
    );
  });

  it('is none of a file that was written to while it was read', async () => {
    const file = join(root, 'updates', '0.h5');
    for (const change of [() => appendFile(file, 'x'), () => utimes(file, 0, 1)]) {
      const reading = withOpenFile(file, 'a model', change);
      await assert.rejects(reading, (error) => {
        assert.ok(error instanceof DataError);
        return error.problem.found === 'one that was written to while it was read';
      });
    }
  });
});
