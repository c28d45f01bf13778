/** Whatever is wrong with a model's config, the sentence about it has no holes and no names that the file does not have. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fixturePath } from '../../../test/keras-fixtures.js';
import { FedbatchError } from '../../core/errors.js';
import { chooseEngine } from '../../engine/choose-engine.js';
import type { KerasFile } from '../../formats/keras/keras-file.js';
import { decodeKerasFile, encodeKerasFile, readKerasFile } from '../../formats/keras/keras-hdf5.js';
import { engineChoice } from '../../settings/parts/engine.js';
import { foreignLayers } from '../layers/foreign.js';
import { requireTrainable } from '../parameters.js';
import { modelFromKeras } from './keras-model.js';

/** What a setting of a file may be instead of what it is. */
const ODD_VALUES: readonly unknown[] = [
  ...[undefined, null, true, false, -1, 0, 1.5, 1e30, '', 'odd', [], [null], [0, 0], {}],
  ...[
    { class_name: 'Odd', config: {} },
    { class_name: 'ReLU', config: { max_value: 6 } },
  ],
];

interface Config {
  class_name: unknown;
  config: Record<string, unknown>;
}

const layersOf = (file: KerasFile): readonly Config[] => {
  const { config } = file.modelConfig as { config: readonly Config[] | { layers: readonly Config[] } };
  return 'layers' in config ? config.layers : config;
};

/** Holes: an empty place in a sentence, or what JavaScript writes for nothing; values from the file do not count. */
function requirePlain(message: string, names: ReadonlySet<string>): void {
  const ours = message.replace(/"[^"]*"|\{.*\}…?|\[[^\]]*\]/g, 'VALUE');
  const hole =
    /\b(undefined|null|NaN|object Object)\b|[,:(] *[.;)]|only *[.;]|found *[.;]|\bof *[.;,]| {2}/.exec(ours);
  assert.equal(hole, null, `${hole?.[0]} in: ${message}`);
  for (const [, name = ''] of message.matchAll(/layers? ([\w/.-]+) \(|layer ([\w/.-]+)[:,] /g)) {
    assert.ok(name === '' || names.has(name), `"${name}" is no layer of the file: ${message}`);
  }
}

/** The sentence that reading ends with, or that which the layers not known have. */
function sentences(file: KerasFile, keepForeignLayers: boolean): readonly string[] {
  try {
    const { description } = modelFromKeras(file, 'm.h5', { keepForeignLayers });
    requireTrainable(description);
    return foreignLayers(description).map(({ reason }) => reason);
  } catch (error) {
    assert.ok(error instanceof FedbatchError, `${error instanceof Error ? error.stack : error}`);
    return [error.message];
  }
}

describe('sentences about a config', () => {
  for (const name of [
    'keras122-cnn',
    'keras2-batchnorm-sgd',
    'keras2-cnn-adam',
    'keras3-mlp-uncompiled',
    'keras3-batchnorm-sgd',
  ]) {
    it(`of ${name}, each of its settings made odd in turn, have no holes`, async () => {
      const file = await readKerasFile(fixturePath(`${name}.h5`));
      const found = new Set<string>();
      for (const [at, { config }] of layersOf(file).entries()) {
        for (const key of [...Object.keys(config), 'never_heard_of']) {
          if (key === 'name') continue;
          for (const value of ODD_VALUES) {
            const modelConfig = structuredClone(file.modelConfig);
            const changed = { ...file, modelConfig };
            const layer = layersOf(changed)[at] as Config;
            layer.config[key] = value;
            const names = new Set(layersOf(changed).map((each) => String(each.config.name)));
            for (const keep of [false, true]) {
              for (const sentence of sentences(changed, keep)) {
                requirePlain(sentence, names);
                found.add(sentence);
              }
            }
          }
        }
      }
      assert.ok(found.size > 100, `${found.size} different sentences`);
    });
  }

  it('of a bounded ReLU tells what is supported', async () => {
    const file = await readKerasFile(fixturePath('keras3-batchnorm-sgd.h5'));
    const relu = layersOf(file).find(({ class_name: kind }) => kind === 'ReLU') as Config;
    relu.config.max_value = -5;
    assert.deepEqual(sentences(file, false), [
      `m.h5: expected a model of layers that fedbatch knows, found layer ${relu.config.name} (ReLU): expected max_value to be none or a number of at least 0, found -5.`,
    ]);
  });

  it('of a number that JSON does not have tells which one and where', async () => {
    const file = await readKerasFile(fixturePath('keras3-batchnorm-sgd.h5'));
    const layers = layersOf(file);
    const at = layers.findIndex(({ class_name: kind }) => kind === 'ReLU');
    (layers[at] as Config).config.max_value = 'inf';
    const bytes = Buffer.from(await encodeKerasFile(file));
    // As Python's json writes float("inf"), in as many bytes.
    const place = bytes.indexOf('"max_value":"inf"');
    bytes.write('"max_value":  NaN', place);
    await assert.rejects(
      decodeKerasFile(bytes, 'm.h5'),
      new RegExp(
        `^DataError: m\\.h5: expected JSON in attribute "model_config", found NaN at config\\.layers\\.${at}\\.config\\.max_value, which is no number of JSON\\.$`,
      ),
    );
  });

  it('of an engine that is not there names a layer of the file', async () => {
    // Its images are [h, w], which a layer that Keras alone knows may insist on.
    const layers = [
      { class_name: 'ConvLSTM1D', config: { name: 'reader', batch_input_shape: [null, 6, 5] } },
      { class_name: 'Dense', config: { name: 'out', units: 3, activation: 'softmax' } },
    ];
    const modelConfig = { class_name: 'Sequential', config: { name: 's', layers } };
    const file = { modelConfig, kerasVersion: '2.15.0', weights: [] };
    const { description } = modelFromKeras(file, 'm.h5', { keepForeignLayers: true });
    await assert.rejects(
      chooseEngine(engineChoice('onnx'), { description }),
      /layer reader is a ConvLSTM1D; known are Conv2D/,
    );
  });
});
