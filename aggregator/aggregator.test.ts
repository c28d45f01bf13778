import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { randomStream, shuffle } from '../lib/core/random.js';
import { sizeOf, type Weights } from '../lib/core/weights.js';
import type { UpdateFacts } from '../lib/federation/client-update.js';
import { FEDAVG } from '../lib/federation/strategies/strategy-settings.js';
import { sha256 } from '../lib/formats/files/read-file.js';
import { writeHdf5 } from '../lib/formats/hdf5/hdf5-writer.js';
import { writeUpdateAttributes } from '../lib/formats/keras/client-update-file.js';
import type { KerasFile } from '../lib/formats/keras/keras-file.js';
import { readKerasFile, writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import type { AggregateResult } from '../lib/formats/stage-results.js';
import { silentReporter } from '../lib/observability/events.js';
import { fixturePath } from '../test/keras-fixtures.js';
import { runCommand } from '../test/program-host.js';
import { aggregateUpdates } from './aggregate.js';

const GLOBAL: KerasFile = {
  modelConfig: {
    class_name: 'Sequential',
    config: {
      name: 'sequential',
      layers: [
        { class_name: 'Flatten', config: { name: 'flatten', batch_input_shape: [null, 2, 2, 1] } },
        { class_name: 'Dense', config: { name: 'dense', units: 3, use_bias: true } },
      ],
    },
  },
  kerasVersion: '2.15.0',
  weights: weightsOf(0),
};

/** Weights of the model above that depend on `seed`. */
function weightsOf(seed: number): Weights {
  const random = randomStream(seed, 'test weights');
  const array = (name: string, shape: readonly number[]) => ({
    name,
    shape,
    values: Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
  });
  return [array('dense/kernel:0', [4, 3]), array('dense/bias:0', [3])];
}

/** An update as another program might write it: good but for its float64 weights. */
function doubles(update: UpdateFacts): Promise<Uint8Array> {
  return writeHdf5((hdf5) => {
    hdf5.text('/', 'model_config', JSON.stringify(GLOBAL.modelConfig));
    writeUpdateAttributes(hdf5, update);
    hdf5.group('/model_weights');
    hdf5.texts('/model_weights', 'layer_names', ['flatten', 'dense']);
    for (const layer of ['flatten', 'dense']) hdf5.group(`/model_weights/${layer}`);
    hdf5.texts('/model_weights/flatten', 'weight_names', []);
    hdf5.texts('/model_weights/dense', 'weight_names', ['kernel', 'bias']);
    hdf5.floats('/model_weights/dense/kernel', { shape: [4, 3], values: new Float64Array(12) });
    hdf5.floats('/model_weights/dense/bias', { shape: [3], values: new Float64Array(3) });
  });
}

describe('fedbatch aggregate', () => {
  let root: string;
  let directory: string;
  let parent: string;
  let parentHash: string;
  let saveFile: string;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'fedbatch-'));
    parent = join(root, 'global.h5');
    parentHash = await writeKerasFile(parent, GLOBAL);
  });
  after(() => rm(root, { recursive: true }));
  beforeEach(async () => {
    directory = await mkdtemp(join(root, 'updates-'));
    saveFile = join(root, 'next.h5');
    await rm(saveFile, { force: true });
  });

  const facts = (client: number, change: Partial<UpdateFacts> = {}): UpdateFacts => ({
    client,
    round: 1,
    examples: 100 * (client + 1),
    parent: parentHash,
    ...change,
  });
  const put = async (name: string, update: UpdateFacts, change: Partial<KerasFile> = {}) => {
    const file = join(directory, name);
    await writeKerasFile(file, { ...GLOBAL, weights: weightsOf(update.client + 1), ...change, update });
    return file;
  };
  const putClients = async (...clients: number[]) => {
    for (const client of clients) await put(`${client}.h5`, facts(client));
  };
  const run = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await runCommand('aggregate', args);
    const last = stdout.trim().split('\n').at(-1) ?? '';
    return { exitCode, stderr, result: last === '' ? undefined : (JSON.parse(last) as AggregateResult) };
  };
  const runHere = (...args: string[]) => run('--dir', directory, '--out', saveFile, ...args);
  /** The mean by its definition, in the order of the clients. */
  const meanOf = (clients: readonly number[]) => {
    const total = clients.reduce((sum, client) => sum + facts(client).examples, 0);
    return GLOBAL.weights.map((array, index) => ({
      ...array,
      values: array.values.map((_, at) => {
        const sum = clients.reduce(
          (so, client) => so + facts(client).examples * (weightsOf(client + 1)[index]?.values[at] as number),
          0,
        );
        return sum / total;
      }),
    }));
  };
  const assertMean = async (...clients: number[]) => {
    assert.deepEqual((await readKerasFile(saveFile)).weights, meanOf(clients));
  };

  it('averages by examples, keeps the architecture, leaves no client facts, and prints one line', async () => {
    await putClients(0, 1, 2);
    const { exitCode, result } = await runHere('--parent', parent, '--round', '1');
    assert.equal(exitCode, 0);
    assert.deepEqual(result, {
      updates: 3,
      examples: 600,
      rejected: [],
      sha256: sha256(await readFile(saveFile)),
      clients: result?.clients,
      seconds: result?.seconds,
    });
    assert.deepEqual(
      result?.clients?.map(({ client, norm, cosine = 0 }) => [client, norm > 0, cosine > 0.5]),
      [0, 1, 2].map((client) => [client, true, true]),
    );
    await assertMean(0, 1, 2);
    const model = await readKerasFile(saveFile);
    assert.deepEqual(model.modelConfig, GLOBAL.modelConfig);
    assert.equal(model.update, undefined);
  });

  it('needs neither parent nor round where all updates agree, and takes files beside a directory', async () => {
    await putClients(0, 1);
    const elsewhere = join(root, 'elsewhere.h5');
    await writeKerasFile(elsewhere, { ...GLOBAL, weights: weightsOf(8), update: facts(7) });
    const { result } = await runHere(elsewhere, join(directory, '1.h5'));
    assert.equal(result?.updates, 3);
    assert.equal(result.clients, undefined, 'without a parent nothing is measured');
    await assertMean(0, 1, 7);
  });

  it('writes the same bytes again, its own output lying in the same directory', async () => {
    await putClients(0, 1);
    saveFile = join(directory, 'aggregated-model.h5');
    const first = await runHere('--parent', parent);
    const second = await runHere('--parent', parent);
    assert.equal(second.result?.sha256, first.result?.sha256);
    assert.deepEqual(second.result?.rejected, []);
  });

  it('passes over unfinished files, the parent and other kinds of files', async () => {
    await putClients(0, 1);
    await copyFile(join(directory, '0.h5'), join(directory, '.tmp-2.h5-1234.h5'));
    await writeFile(join(directory, 'notes.txt'), 'nothing');
    await symlink(parent, join(directory, 'global.h5'));
    const { result } = await runHere('--parent', parent);
    assert.deepEqual([result?.updates, result?.rejected], [2, []]);
  });

  it('gives the same bytes whatever the files are called', async () => {
    const clients = [0, 1, 2, 3, 4, 5];
    await putClients(...clients);
    const hashes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const renamed = await mkdtemp(join(root, 'renamed-'));
        const names = shuffle(Int32Array.from(clients), randomStream(seed, 'names'));
        for (const client of clients)
          await copyFile(join(directory, `${client}.h5`), join(renamed, `${names[client]}.h5`));
        const rule = { strategy: FEDAVG, seed: 0, minUpdates: 1 };
        const options = { ...rule, directory: renamed, files: [], saveFile, reporter: silentReporter };
        hashes.add((await aggregateUpdates(options)).sha256);
      }),
      { numRuns: 20 },
    );
    assert.equal(hashes.size, 1);
  });

  describe('rejects one bad update among good ones', () => {
    const withNaN = (client: number): Weights => {
      const weights = weightsOf(client);
      weights[1]?.values.fill(Number.NaN);
      return weights;
    };
    const wide = {
      modelConfig: JSON.parse(
        JSON.stringify(GLOBAL.modelConfig).replace('"units":3', '"units":1'),
      ) as unknown,
      weights: [
        { name: 'dense/kernel:0', shape: [4, 1], values: new Float32Array(4) },
        { name: 'dense/bias:0', shape: [1], values: new Float32Array(1) },
      ],
    };
    const renamed = {
      modelConfig: JSON.parse(JSON.stringify(GLOBAL.modelConfig).replace('"dense"', '"other"')) as unknown,
      weights: weightsOf(3).map((array) => ({ ...array, name: array.name.replace('dense', 'other') })),
    };
    const cases: readonly (readonly [string, RegExp, () => Promise<unknown>])[] = [
      [
        'NaN',
        /^holds NaN in dense\/bias:0 at position 0$/,
        () => put('1.h5', facts(1), { weights: withNaN(1) }),
      ],
      [
        'another shape',
        /^has dense\/kernel:0 of shape \[4,1\], not \[4,3\]$/,
        () => put('1.h5', facts(1), wide),
      ],
      ['other names', /^has the array other\/kernel:0 in place of/, () => put('1.h5', facts(1), renamed)],
      [
        'another dtype',
        /^expected an array of float32 at \/model_weights\/dense\/kernel, found 64-bit elements of type H5T_FLOAT$/,
        async () => writeFile(join(directory, '1.h5'), await doubles(facts(1))),
      ],
      ['another round', /^belongs to round 2, not 1$/, () => put('1.h5', facts(1, { round: 2 }))],
      [
        'another parent',
        /^started from another global model/,
        () => put('1.h5', facts(1, { parent: 'c'.repeat(64) })),
      ],
      ['no examples', /^counts 0 examples$/, () => put('1.h5', facts(1, { examples: 0 }))],
      ['a client twice', /^is a second update of client 0$/, () => put('1.h5', facts(0))],
      ['facts without sense', /facts of a client update/, () => put('1.h5', facts(1, { round: 0 }))],
      [
        'a plain Keras model',
        /it is no client update$/,
        () => copyFile(fixturePath('keras2-named.h5'), join(directory, '1.h5')),
      ],
      [
        'another format',
        /found a file of another format$/,
        () => writeFile(join(directory, '1.h5'), 'not HDF5 at all'),
      ],
      ['an empty file', /found an empty file$/, () => writeFile(join(directory, '1.h5'), '')],
      ['a directory', /found a directory$/, () => mkdir(join(directory, '1.h5'))],
      [
        'a truncated file',
        /found a truncated file/,
        async () => {
          const bytes = await readFile(await put('1.h5', facts(1)));
          await writeFile(join(directory, '1.h5'), bytes.subarray(0, bytes.length - 100));
        },
      ],
    ];
    for (const [what, reason, plant] of cases) {
      it(what, async () => {
        await putClients(0, 2);
        await plant();
        const { exitCode, result, stderr } = await runHere(
          '--parent',
          parent,
          '--round',
          '1',
          '--min-updates',
          '2',
        );
        assert.equal(exitCode, 0, stderr);
        assert.equal(result?.updates, 2);
        assert.equal(result?.rejected[0]?.file, join(directory, '1.h5'));
        assert.match(result?.rejected[0]?.reason ?? '', reason);
        assert.equal(result?.rejected.length, 1);
        assert.match(stderr, /warning: Rejected .*1\.h5: /);
        await assertMean(0, 2);
      });
    }
  });

  it('takes a plain Keras model that is named, with a warning and as one example', async () => {
    await putClients(0);
    const plain = join(root, 'plain.h5');
    await writeKerasFile(plain, { ...GLOBAL, weights: weightsOf(77) });
    const { result, stderr } = await runHere(plain);
    assert.deepEqual([result?.updates, result?.examples], [2, 101]);
    assert.match(
      stderr,
      /warning: .*plain\.h5 does not tell its number of examples: it counts as one example\./,
    );
  });

  describe('fails without writing anything', () => {
    const fails = async (exitCode: number, message: RegExp, ...args: string[]) => {
      const names = await readdir(root);
      const { exitCode: found, stderr, result } = await run(...args);
      assert.equal(found, exitCode, stderr);
      const errors = stderr.split('\n').filter((line) => line.startsWith('error: '));
      assert.match(errors.join('\n'), message);
      assert.doesNotMatch(stderr, /\n {4}at /, 'no stack trace');
      assert.equal(result, undefined);
      assert.deepEqual(await readdir(root), names);
    };

    it('below the quorum', async () => {
      await putClients(0, 1);
      await put('2.h5', facts(2, { examples: 0 }));
      const args = ['--dir', directory, '--out', saveFile, '--min-updates', '3'];
      await fails(4, /Expected at least 3 good client updates, found 2 \(1 rejected\)/, ...args);
    });

    it('but not for a link of a client that leads nowhere', async () => {
      await putClients(0, 1);
      await symlink('2.h5', join(directory, '2.h5'));
      const { exitCode, stderr, result } = await run('--dir', directory, '--out', saveFile);
      assert.equal(exitCode, 0, stderr);
      assert.match(stderr, /warning: Rejected .*2\.h5: expected .*, found .*\(ELOOP\)/);
      assert.match(JSON.stringify(result), /"updates":2/);
    });

    it('in an empty directory', () =>
      fails(4, /at least 1 good client updates, found 0/, '--dir', directory, '--out', saveFile));

    it('when the updates disagree about their parent and none is named', async () => {
      await putClients(0, 1);
      await put('2.h5', facts(2, { parent: 'c'.repeat(64) }));
      const message =
        /expected one parent \(name the right one with --parent\), found .*0\.h5, .*1\.h5; c{64} in .*2\.h5/;
      await fails(3, message, '--dir', directory, '--out', saveFile);
    });

    it('when the updates disagree about their round and none is named', async () => {
      await putClients(0);
      await put('2.h5', facts(2, { round: 4 }));
      await fails(3, /expected one round .*--round.* 4 in .*2\.h5/, '--dir', directory, '--out', saveFile);
    });

    it('but not where what is named tells which of them are meant', async () => {
      await putClients(0, 1);
      await put('2.h5', facts(2, { round: 4, parent: 'c'.repeat(64) }));
      for (const told of [
        ['--parent', parent],
        ['--round', '1'],
      ]) {
        const { exitCode, result } = await runHere(...told);
        assert.equal(exitCode, 0);
        assert.deepEqual(
          [result?.updates, result?.rejected.map(({ file }) => file)],
          [2, [join(directory, '2.h5')]],
        );
        await assertMean(0, 1);
      }
    });

    it('when they differ in architecture and no parent is named', async () => {
      await putClients(0);
      const weights = weightsOf(1).map((array) => ({ ...array, name: array.name.replace('dense', 'other') }));
      const text = JSON.stringify(GLOBAL.modelConfig).replace('"dense"', '"other"');
      await put('1.h5', facts(1), { weights, modelConfig: JSON.parse(text) as unknown });
      const message =
        /1\.h5: expected the arrays of .*0\.h5 \(name the right model with --parent\), found that it has/;
      await fails(3, message, '--dir', directory, '--out', saveFile);
    });

    it('when the file of --parent is another one than its hash tells', async () => {
      await putClients(0, 1);
      const args = ['--dir', directory, '--out', saveFile, '--parent-sha256'];
      const other = 'd'.repeat(64);
      const message =
        /global\.h5: expected the global model that the round started from \(sha256 d{12}…\), found/;
      await fails(3, message, ...args, other, '--parent', parent);
      await fails(3, message, ...args, other, '--parent', parent, '--group', 'a');
      await fails(2, /--parent-sha256 goes with --parent/, ...args, other);
      const { exitCode, stderr } = await run(...args, parentHash, '--parent', parent);
      assert.equal(exitCode, 0, stderr);
    });

    it('without a source of updates, with a missing one, and with a file that is both update and result', async () => {
      await putClients(0);
      const update = join(directory, '0.h5');
      await fails(2, /Expected --dir, files or --groups, found none/, '--out', saveFile);
      await fails(
        3,
        /expected a directory of client updates, found no such directory/,
        '--dir',
        join(root, 'no'),
        '--out',
        saveFile,
      );
      await fails(
        3,
        /no\.h5: expected a Keras model .*, found no such file/,
        join(root, 'no.h5'),
        '--out',
        saveFile,
      );
      await fails(
        3,
        /no\.h5: expected a Keras model/,
        update,
        '--parent',
        join(root, 'no.h5'),
        '--out',
        saveFile,
      );
      await fails(2, /cannot be an update and the parent or the result/, update, '--out', update);
    });

    it('where the result cannot be written', async () => {
      await putClients(0);
      const below = join(parent, 'next.h5');
      await fails(3, /next\.h5: could not be written: /, '--dir', directory, '--out', below);
    });
  });
});
