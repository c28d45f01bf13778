/** `.keras` files: what Keras wrote is what its HDF5 file says, ours come back, hostile ones are refused in a sentence. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import JSZip from 'jszip';
import { fixturePath } from '../../../test/keras-fixtures.js';
import { DataError } from '../../core/errors.js';
import { freshModelFromKeras } from '../../model/keras/fresh-model.js';
import { writeHdf5 } from '../hdf5/hdf5-writer.js';
import { arrayNames, readArchitecture } from './keras-archive.js';
import { decodeKerasFile, encodeKerasFile, readKerasFile, readUpdateFacts } from './keras-hdf5.js';

const FIXTURES = ['keras2-archive', 'keras3-archive', 'keras3-archive-nested'] as const;
const FACTS = { client: 3, round: 2, examples: 50, parent: 'ab'.repeat(32) };

describe('a .keras file', () => {
  for (const name of FIXTURES) {
    it(`of ${name} holds the arrays of the same model in HDF5, under the same names, and its optimizer`, async () => {
      const [archive, hdf5] = await Promise.all(
        ['keras', 'h5'].map((ending) => readKerasFile(fixturePath(`${name}.${ending}`))),
      );
      assert.ok(archive !== undefined && hdf5 !== undefined);
      assert.deepEqual(archive.weights, hdf5.weights);
      assert.equal(archive.kerasVersion, hdf5.kerasVersion);
      const [ofArchive, ofHdf5] = [archive, hdf5].map(
        (file) => JSON.parse(file.trainingConfig ?? '').optimizer_config.config.learning_rate,
      );
      assert.equal(ofArchive, ofHdf5);
    });

    it(`comes back as ${name} was, with our facts and extras, in the same bytes for the same model`, async () => {
      const file = {
        ...(await readKerasFile(fixturePath(`${name}.h5`))),
        ...{ scale: '-1..1', update: FACTS, extras: { steps: 4 } },
        names: { classNames: ['a', 'ä'], inputs: [{ name: 'x', columns: ['p'], categories: ['Bern'] }] },
      };
      const bytes = await encodeKerasFile(file, 'keras');
      const kinds = { steps: { kind: 'number', min: 1, max: 10 } } as const;
      const { modelConfig, trainingConfig, ...read } = await decodeKerasFile(bytes, 'm.keras', {
        extras: kinds,
      });
      const { modelConfig: given, trainingConfig: compiled, ...others } = file;
      assert.deepEqual(read, others);
      // Of functional models, the name of the class that Keras 2 and 3 share.
      const { class_name: kind, ...architecture } = given as { readonly class_name: string };
      const class_name = kind === 'Functional' ? 'Model' : kind;
      assert.deepEqual({ ...(modelConfig as object), ...architecture, class_name }, modelConfig);
      const rateOf = (text = '') => JSON.parse(text).optimizer_config.config.learning_rate;
      assert.equal(rateOf(trainingConfig), rateOf(compiled));
      assert.deepEqual(await encodeKerasFile(file, 'keras'), bytes);
    });
  }

  it('tells the facts of an update without its weights', async () => {
    assert.equal(await readUpdateFacts(fixturePath('keras3-archive.keras')), undefined);
  });
});

describe('an architecture as to_json gives it', () => {
  for (const name of FIXTURES) {
    it(`of ${name} names the arrays of its files`, async () => {
      const path = fixturePath(`${name}.json`);
      const [head, file] = await Promise.all([
        readArchitecture(path),
        readKerasFile(fixturePath(`${name}.h5`)),
      ]);
      const names = file.weights.map((array) => array.name);
      assert.deepEqual(arrayNames(head.modelConfig, path), names);
      assert.equal(head.kerasVersion[0], file.kerasVersion[0]);
      if (name.endsWith('nested')) return;
      const options = { path, seed: 1, kerasVersion: head.kerasVersion };
      const { weights } = freshModelFromKeras(head.modelConfig, options);
      assert.deepEqual(
        weights.map((array) => [array.name, array.shape]),
        file.weights.map((array) => [array.name, array.shape]),
      );
      assert.deepEqual(
        weights.find((array) => array.name === 'conv2d/bias:0')?.values,
        Float32Array.of(1, 1),
      );
    });
  }
});

const { modelConfig } = await readKerasFile(fixturePath('keras3-archive.keras'));
const config = (change: object = {}) => JSON.stringify({ ...(modelConfig as object), ...change });
const METADATA = JSON.stringify({ keras_version: '3.10.0' });

/** An archive like Keras', with other members. */
async function archive(
  members: Readonly<Record<string, string | Uint8Array | undefined>>,
): Promise<Uint8Array> {
  const good = await new JSZip().loadAsync(await readFile(fixturePath('keras3-archive.keras')));
  for (const [name, content] of Object.entries(members)) {
    if (content === undefined) good.remove(name);
    else good.file(name, content);
  }
  return good.generateAsync({ type: 'uint8array', compression: 'DEFLATE' });
}

/** Weights for the first layers; `width` is that of the first kernel. */
const weights = (width: number) =>
  writeHdf5((hdf5) => {
    for (const group of ['layers', 'layers/conv2d', 'layers/conv2d/vars']) hdf5.group(`/${group}`);
    const shape = [3, 3, 1, width];
    hdf5.floats('/layers/conv2d/vars/0', { shape, values: new Float32Array(9 * width) });
    hdf5.floats('/layers/conv2d/vars/1', { shape: [2], values: new Float32Array(2) });
  });

/** TimeDistributed in TimeDistributed in …, and Bidirectional, each of which doubles what is below it. */
const deep = (className: string) => {
  let layer: object = { class_name: 'Dense', config: { name: 'dense', units: 1 } };
  for (let depth = 0; depth < 40; depth++)
    layer = { class_name: className, config: { name: `n${depth}`, layer } };
  return config({ class_name: 'Sequential', config: { name: 'deep', layers: [layer] } });
};

describe('a .keras file that is no good is refused in one sentence', () => {
  const cases: readonly (readonly [string, () => Promise<Uint8Array>, RegExp])[] = [
    [
      'without weights',
      () => archive({ 'model.weights.h5': undefined }),
      /found a zip archive without model\.weights\.h5/,
    ],
    ['without a configuration', () => archive({ 'config.json': undefined }), /without config\.json/],
    [
      'with a configuration that is no JSON',
      () => archive({ 'config.json': '{"a":' }),
      /expected JSON in config\.json/,
    ],
    [
      'with another kind of configuration',
      () => archive({ 'config.json': '[1]' }),
      /expected JSON in config\.json/,
    ],
    ['without a version', () => archive({ 'metadata.json': '{}' }), /expected JSON in metadata\.json/],
    [
      'with text for weights',
      () => archive({ 'model.weights.h5': 'no HDF5' }),
      /found a file of another format/,
    ],
    [
      'that inflates to far more than it is',
      () => archive({ 'config.json': new Uint8Array(80e6) }),
      /members of at most 64 MB.*config\.json that would inflate to 80 MB/,
    ],
    [
      'with an array of another shape',
      async () => archive({ 'model.weights.h5': await weights(5) }),
      /conv2d\/kernel:0 of shape \[3,3,\?,2\].*found shape \[3,3,1,5\]/,
    ],
    [
      'with an array missing',
      async () => archive({ 'model.weights.h5': await weights(2) }),
      /batch_normalization\/gamma:0 \(BatchNormalization\) at \/layers\/batch_normalization\/vars\/0.*found none/,
    ],
    ['with layers without end', () => archive({ 'config.json': deep('TimeDistributed') }), /at most 8 deep/],
    [
      'with layers that double without end',
      () => archive({ 'config.json': deep('Bidirectional') }),
      /at most 8 deep/,
    ],
    [
      'cut off',
      async () => (await readFile(fixturePath('keras3-archive.keras'))).subarray(0, 5000),
      /expected a Keras model \(\.h5 or \.keras\), found a damaged or truncated zip/,
    ],
    [
      'of no version of Keras',
      () => archive({ 'config.json': config({ config: 'all' }), 'metadata.json': METADATA }),
      /expected a list of layers/,
    ],
  ];
  for (const [what, bytes, message] of cases) {
    it(what, async () => {
      await assert.rejects(decodeKerasFile(await bytes(), 'some/model.keras'), (error) => {
        assert.ok(error instanceof DataError, `${error}`);
        assert.match(error.message, /^some\/model\.keras: expected [^\n]+, found [^\n]+\.$/);
        assert.match(error.message, message);
        return true;
      });
    });
  }
});
