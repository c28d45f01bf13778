import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { fixturePath, KERAS_FIXTURES, kerasExpectation } from '../../../test/keras-fixtures.js';
import { DataError } from '../../core/errors.js';
import { sizeOf, type WeightArray } from '../../core/weights.js';
import { sha256 } from '../files/read-file.js';
import { type Hdf5Writer, writeHdf5 } from '../hdf5/hdf5-writer.js';
import type { KerasFile } from './keras-file.js';
import {
  decodeKerasFile,
  encodeKerasFile,
  readKerasFile,
  readUpdateFacts,
  writeKerasFile,
} from './keras-hdf5.js';

const FACTS = { client: 3, round: 2, examples: 1234, parent: 'ab'.repeat(32) };

/** A Dense model `dense_0`, `dense_1`, … with the given arrays. */
function denseModel(
  kernels: readonly { readonly shape: readonly [number, number]; readonly fill: number }[],
): KerasFile {
  const layers = kernels.map(({ shape }, index) => ({
    class_name: 'Dense',
    config: { name: `dense_${index}`, units: shape[1], use_bias: false },
  }));
  return {
    modelConfig: { class_name: 'Sequential', config: { name: 'sequential', layers } },
    kerasVersion: '2.15.0',
    weights: kernels.map(({ shape, fill }, index) => array(`dense_${index}/kernel:0`, shape, fill)),
  };
}

function array(name: string, shape: readonly number[], fill: number): WeightArray {
  return { name, shape, values: new Float32Array(sizeOf(shape)).map((_, index) => fill + index / 8) };
}

const small = denseModel([{ shape: [3, 2], fill: 1 }]);

describe('reading what Keras wrote', () => {
  for (const name of KERAS_FIXTURES) {
    it(`reads ${name}.h5`, async () => {
      const expected = kerasExpectation(name);
      const file = await readKerasFile(fixturePath(`${name}.h5`));
      assert.deepEqual(
        file.weights.map((each) => ({ name: each.name, shape: each.shape })),
        expected.weights.map((each) => ({ name: each.name, shape: each.shape })),
      );
      for (const [index, { sum, first }] of expected.weights.entries()) {
        const { values, shape } = file.weights[index] as WeightArray;
        assert.equal(values.length, sizeOf(shape));
        // Exact for float32 and float16 sources; float64 ones are rounded.
        const tolerance = name === 'tf113-float64-float16' ? 1e-6 : 0;
        first.forEach((value, at) => {
          assert.ok(Math.abs((values[at] as number) - value) <= tolerance, `${values[at]} is not ${value}`);
        });
        assert.ok(Math.abs(values.reduce((total, value) => total + value, 0) - sum) < 1e-5);
      }
      assert.equal(file.update, undefined);
      assert.match(file.kerasVersion, /^[123]\.\d+\.\d+(-tf)?$/);
      assert.equal((file.modelConfig as { class_name: string }).class_name, 'Sequential');
    });

    it(`writes ${name}.h5 again without loss`, async () => {
      // What the model was compiled with belongs to the training that it had.
      const file = await readKerasFile(fixturePath(`${name}.h5`));
      assert.deepEqual(await decodeKerasFile(await encodeKerasFile(file), 'again'), file);
    });
  }
});

describe('writing', () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
  });
  after(() => rm(directory, { recursive: true }));

  it('keeps the facts of a client update and gives the hash of the file', async () => {
    const path = join(directory, 'update.h5');
    const hash = await writeKerasFile(path, { ...small, update: FACTS });
    assert.equal(hash, sha256(await readFile(path)));
    assert.deepEqual((await readKerasFile(path)).update, FACTS);
    assert.deepEqual(await readUpdateFacts(path), FACTS);
    assert.equal(await readUpdateFacts(fixturePath('keras2-cnn-adam.h5')), undefined);
  });

  it('gives back any weights and names, splitting lists of names that are too long for one attribute', async () => {
    const many = denseModel(Array.from({ length: 120 }, (_, fill) => ({ shape: [1, 1] as const, fill })));
    const long = (name: string) => name.replace('dense', 'd'.repeat(700));
    const text = JSON.stringify(many.modelConfig).replaceAll('dense_', `${long('dense')}_`);
    const weights = many.weights.map((each) => ({ ...each, name: long(each.name) }));
    const file = { ...many, modelConfig: JSON.parse(text), weights };
    assert.ok(weights.length * 700 > 65536);
    assert.deepEqual(await decodeKerasFile(await encodeKerasFile(file), 'long'), file);
  });

  it('gives back any shape and any float32, for random models', async () => {
    const kernel = fc.record({
      shape: fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })),
      fill: fc.float(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(kernel, { minLength: 1, maxLength: 4 }), async (kernels) => {
        const file = denseModel(kernels);
        assert.deepEqual(await decodeKerasFile(await encodeKerasFile(file), 'random'), file);
      }),
      { numRuns: 50 },
    );
  });

  it('gives the same bytes at another time, after other files, and in another process', async () => {
    const update = { ...small, update: FACTS };
    const hash = sha256(await encodeKerasFile(update));
    const clock = Date.now;
    // Object headers count whole seconds.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await encodeKerasFile(denseModel([{ shape: [50, 70], fill: -3 }]));
    await readKerasFile(fixturePath('keras3-cnn-adam.h5'));
    assert.equal(sha256(await encodeKerasFile(update)), hash);
    assert.equal(Date.now, clock, 'the clock runs again');

    const model = join(directory, 'model.json');
    await writeFile(model, JSON.stringify({ ...update, weights: [] }));
    const script = `
      const { readFileSync } = await import('node:fs');
      const { encodeKerasFile } = await import(${JSON.stringify(new URL('./keras-hdf5.js', import.meta.url).href)});
      const { sha256 } = await import(${JSON.stringify(new URL('../files/read-file.js', import.meta.url).href)});
      const file = JSON.parse(readFileSync(${JSON.stringify(model)}, 'utf8'));
      const values = Float32Array.from({ length: 6 }, (_, index) => 1 + index / 8);
      console.log(sha256(await encodeKerasFile({ ...file, weights: [{ name: 'dense_0/kernel:0', shape: [3, 2], values }] })));
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    assert.equal(stdout.trim(), hash);
  });
});

/** A file with a model_config of one Dense layer, `dense` of 2 units, and what `build` adds. */
function damaged(build: (hdf5: Hdf5Writer) => void, config: unknown = denseConfig()): Promise<Uint8Array> {
  return writeHdf5((hdf5) => {
    hdf5.text('/', 'model_config', typeof config === 'string' ? config : JSON.stringify(config));
    hdf5.group('/model_weights');
    hdf5.texts('/model_weights', 'layer_names', ['dense']);
    build(hdf5);
  });
}

function denseConfig(): unknown {
  const config = { name: 'dense', units: 2, use_bias: false };
  return { class_name: 'Sequential', config: [{ class_name: 'Dense', config }] };
}

/** The weights of `dense`, complete. */
function dense(hdf5: Hdf5Writer, shape: readonly number[] = [3, 2]): void {
  hdf5.group('/model_weights/dense');
  hdf5.texts('/model_weights/dense', 'weight_names', ['dense_W']);
  hdf5.floats('/model_weights/dense/dense_W', array('', shape, 1));
}

describe('bad input', () => {
  const cases: readonly (readonly [string, RegExp, () => Promise<Uint8Array>])[] = [
    ['an empty file', /found an empty file/, async () => new Uint8Array()],
    ['text', /a file of another format/, async () => Buffer.from('x_train,y_train\n1,2\n')],
    ['the beginning of a zip', /a damaged or truncated zip/, async () => Buffer.from('PK\x03\x04 …')],
    [
      'weights alone',
      /weights alone, as save_weights\(\) writes them: save the whole model/,
      () => readFile(fixturePath('weights-only.h5')),
    ],
    [
      'HDF5 of something else',
      /attribute "model_config"\), found an HDF5 file without it/,
      () => writeHdf5((hdf5) => hdf5.group('/x')),
    ],
    [
      'a truncated file',
      /a truncated file of 20000 bytes, of which there should be \d+/,
      async () => (await readFile(fixturePath('keras2-cnn-adam.h5'))).subarray(0, 20000),
    ],
    [
      'a head alone',
      /found a damaged file/,
      async () => (await readFile(fixturePath('keras2-named.h5'))).subarray(0, 30),
    ],
    [
      'a global heap that HDF5 would walk for ever',
      /a broken global heap/,
      async () => {
        const bytes = await readFile(fixturePath('keras2-named.h5'));
        const heap = bytes.indexOf('GCOL');
        assert.ok(heap > 0);
        // Index and size of the first object.
        return bytes.fill(0, heap + 16, heap + 32);
      },
    ],
    ['broken JSON', /expected JSON in attribute "model_config"/, () => damaged(dense, '{"class_name":')],
    [
      'a config without layers',
      /expected a list of layers/,
      () => damaged(dense, { class_name: 'X', config: {} }),
    ],
    [
      'a layer without a name',
      /a name of layer 0/,
      () => damaged(dense, { config: [{ class_name: 'X', config: {} }] }),
    ],
    [
      'two layers of one name',
      /expected a name for each layer in model_config, found two layers "f"/,
      () => {
        const flatten = { class_name: 'Flatten', config: { name: 'f' } };
        return damaged(dense, { config: [flatten, flatten] });
      },
    ],
    [
      'no weights of a layer',
      /"weight_names" of \/model_weights\/dense, found none/,
      () => damaged(() => undefined),
    ],
    [
      'a missing array',
      /expected an array at \/model_weights\/dense\/gone, found none/,
      () =>
        damaged((hdf5) => {
          hdf5.group('/model_weights/dense');
          hdf5.texts('/model_weights/dense', 'weight_names', ['gone']);
        }),
    ],
    [
      'another shape than the architecture says',
      /dense\/kernel:0 of shape \[\?,2\] as model_config says, found shape \[2,3\]/,
      () => damaged((hdf5) => dense(hdf5, [2, 3])),
    ],
    [
      'an array less than the architecture says',
      /expected 2 arrays of layer "dense" \(Dense\), found 1/,
      () => damaged(dense, { config: [{ class_name: 'Dense', config: { name: 'dense', units: 2 } }] }),
    ],
    [
      'weights of another layer',
      /found weights of "dense"/,
      () => damaged(dense, { config: [{ class_name: 'Flatten', config: { name: 'flatten' } }] }),
    ],
    [
      'a part of the facts',
      /expected the attribute "fedbatch_round"/,
      () =>
        damaged((hdf5) => {
          dense(hdf5);
          hdf5.integer('/', 'fedbatch_client', 1);
        }),
    ],
    [
      'facts without sense',
      /facts of a client update .*"examples":-5/,
      () => encodeKerasFile({ ...small, update: { ...FACTS, examples: -5 } }),
    ],
  ];
  for (const [what, message, bytes] of cases) {
    it(`names what is wrong with ${what}`, async () => {
      await assert.rejects(decodeKerasFile(await bytes(), 'some/model.h5'), (error) => {
        assert.ok(error instanceof DataError, String(error));
        assert.match(error.message, message);
        assert.match(error.message, /^some\/model\.h5: expected [^\n]*\.$/);
        return true;
      });
    });
  }

  it('turns the kernels of the Theano backend by half a turn', async () => {
    const config = { name: 'conv', filters: 1, kernel_size: [2, 3], use_bias: false };
    const bytes = await writeHdf5((hdf5) => {
      hdf5.text('/', 'model_config', JSON.stringify({ config: [{ class_name: 'Conv2D', config }] }));
      hdf5.text('/', 'backend', 'theano');
      hdf5.group('/model_weights');
      hdf5.texts('/model_weights', 'layer_names', ['conv']);
      hdf5.group('/model_weights/conv');
      hdf5.texts('/model_weights/conv', 'weight_names', ['conv/kernel']);
      hdf5.group('/model_weights/conv/conv');
      hdf5.floats('/model_weights/conv/conv/kernel', array('', [2, 3, 1, 1], 0));
    });
    const { weights } = await decodeKerasFile(bytes, 'theano');
    assert.deepEqual([...(weights[0]?.values ?? [])], [5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8, 0]);
  });

  it('never fails otherwise than with a DataError, whichever bytes are damaged', async () => {
    const good = await readFile(fixturePath('keras2-named.h5'));
    const damage = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(damage, async (changes) => {
        const bytes = Uint8Array.from(good);
        for (const [at, byte] of changes) bytes[at] = byte;
        await decodeKerasFile(bytes, 'damaged').catch((error: unknown) =>
          assert.ok(error instanceof DataError, String(error)),
        );
      }),
      // Always the same damage: HDF5's library is not known to come back from every other one.
      { numRuns: 300, seed: 1 },
    );
  });
});
