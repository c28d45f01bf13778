/** Each setting of each layer is obeyed as Keras does, or refused with its name and that of the layer, on each engine. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fixturePath, KERAS_FIXTURES } from '../../../test/keras-fixtures.js';
import {
  behindInput,
  fixedInputs,
  fixedWeights,
  GENERATIONS,
  type SettingCase,
  type SettingGroup,
  settingGroups,
} from '../../../test/setting-fixtures.js';
import { ModelError } from '../../core/errors.js';
import { assertClose, predict } from '../../engine/conformance/engine-runs.js';
import type { Batch } from '../../engine/engine.js';
import { plainOnnxEngine } from '../../engine/onnx/onnx-engine.js';
import { loadTensorflowEngine } from '../../engine/tensorflow/tensorflow-engine.js';
import { readKerasFile } from '../../formats/keras/keras-hdf5.js';
import { foreignLayers } from '../layers/foreign.js';
import { LAYER_MODULES, type Layer } from '../layers/registry.js';
import type { Model, ModelDescription } from '../model-description.js';
import { modelParameters, requireTrainable } from '../parameters.js';
import { findTrainingObstacles, hasWeights, parseKerasLayer } from './keras-layers.js';
import { asKerasObject, type KerasObject } from './keras-settings.js';

/** How far from Keras a prediction in float32 may be, where Keras computed in another type. */
const TOLERANCE: Readonly<Record<string, number>> = { mixed_float16: 2e-3, bfloat16: 2e-2 };

/** Settings of which the ONNX engine has some values: activations, bounds, shapes. */
const PARTLY = /^(Conv2D|Dense|Activation)\.activation$|^UpSampling2D\.interpolation$/;

/** What the ONNX engine refuses: what a class is known with one value of, or with some. */
const REFUSED = LAYER_MODULES.flatMap(({ keras }) => keras).flatMap(({ names: [name], settings }) =>
  Object.values(settings).flatMap((setting) => {
    const [key] = setting.keys;
    return 'allowed' in setting || PARTLY.test(`${name}.${key}`) ? [`${name}.${key}`] : [];
  }),
);

/** What the ONNX engine has and TensorFlow.js has not. */
const ONNX_ONLY =
  /^layer tried(\/\w+)? \(\w+\): TensorFlow.js has no (such layer|activation \w+|(alpha|groups|padding|dilation_rate|output_padding|interpolation|threshold|negative_slope) [\w.×]+|target_shape with -1|axis -?\d+|reset_after|backward_layer|mask_zero as Keras|masks as Keras)$/;

function model(group: SettingGroup, changed: object): ModelDescription {
  const { inputShape, layer } = group;
  const config: KerasObject['config'] = { ...layer.config, ...changed };
  const isRow = 'target_shape' in config && [config.target_shape].flat().length === 1;
  // A recurrent layer, or one around it.
  const cell = layer.class_name === 'Bidirectional' ? (config.layer as KerasObject).config : config;
  const isLast = cell.return_sequences === false;
  const isFeatures = inputShape.length === 1 && !/^(RepeatVector|Embedding)$/.test(layer.class_name);
  const isFlat = isFeatures || isRow || isLast || /^(Flatten|Global)/.test(layer.class_name);
  return behindInput(group, [
    { ...layer, config },
    // TensorFlow.js flattens images only.
    ...(isFlat ? [] : [{ class_name: 'Flatten', config: { name: 'flat' } }]),
    { class_name: 'Softmax', config: { name: 'softmax' } },
  ]);
}

/** A case with the example that Keras was given. */
type Tried = SettingCase & Pick<Batch, 'inputs' | 'count'>;

/** Settings that neither predictions nor training depend on, of every class and of single ones. */
const WITHOUT_EFFECT: Readonly<Record<string, readonly string[]>> = {
  '': [
    ...['name', 'init', 'batch_input_shape', 'batch_shape'],
    // Of Keras 1, which says once more in each layer what its input is.
    ...['input_dim', 'input_dtype', 'input_shape', 'input_length'],
  ],
  // Masks are drawn from the run's seed.
  ...Object.fromEntries(
    [
      'Dropout',
      'SpatialDropout1D',
      'SpatialDropout2D',
      'GaussianNoise',
      'GaussianDropout',
      'AlphaDropout',
    ].map((name) => [name, ['seed']]),
  ),
  Embedding: ['sparse'],
  // How a cell is computed.
  SimpleRNN: ['unroll', 'implementation', 'seed'],
  LSTM: ['unroll', 'implementation', 'seed', 'use_cudnn'],
  GRU: ['unroll', 'implementation', 'seed', 'use_cudnn'],
  BatchNormalization: ['synchronized', 'fused', 'renorm_momentum', 'renorm_clipping'],
};

const readLayers = async (name: string) =>
  layersOf((await readKerasFile(fixturePath(`${name}.h5`))).modelConfig);
const inFixtures = await Promise.all(KERAS_FIXTURES.map(readLayers));

/** The layers of every Keras generation as they stand in files. */
const written: readonly KerasObject[] = [
  ...GENERATIONS.flatMap((generation) => settingGroups(generation).map(({ layer }) => layer)),
  ...inFixtures.flat(),
];

function layersOf(modelConfig: unknown): readonly KerasObject[] {
  const { config } = modelConfig as { config: readonly KerasObject[] | { layers: readonly KerasObject[] } };
  const layers = 'layers' in config ? config.layers : config;
  return layers.filter(({ class_name: className }) => className !== 'InputLayer');
}

/** Classes that a version of Keras has no more. */
const GONE = { '2': [], '3': ['ThresholdedReLU'] };

describe('every setting that Keras writes of every class that we read', () => {
  it('is known from Keras 2 and 3', () => {
    for (const generation of GENERATIONS) {
      const tried = new Set(settingGroups(generation).map(({ layer }) => layer.class_name));
      // Those of several inputs are in models of their own.
      const alone = LAYER_MODULES.filter(({ inputCount: [fewest] = [1] }) => fewest === 1);
      const unknown = alone.flatMap(({ keras }) => keras.map(({ names }) => names[0]));
      assert.deepEqual(
        unknown.filter((name) => !tried.has(name)),
        GONE[generation],
        `Keras ${generation}`,
      );
    }
  });

  for (const layer of written) {
    const { class_name: className, config } = layer;
    const others = Object.keys(config).filter(
      (key) =>
        !key.endsWith('_initializer') &&
        !WITHOUT_EFFECT['']?.includes(key) &&
        !WITHOUT_EFFECT[className]?.includes(key),
    );
    it(`of ${className} is used, or refused by name: ${others.join(', ')}`, () => {
      const usual = parseKerasLayer(layer);
      assert.deepEqual(findTrainingObstacles(layer), []);
      for (const key of others) {
        for (const value of ['odd', false]) {
          // Keras says so of what a layer does not have.
          if (value === false && config[key] !== true) continue;
          // Nothing is frozen in a layer without weights.
          if (key === 'trainable' && (value !== false || !hasWeights(className))) continue;
          assertHeeded({ ...layer, config: { ...config, [key]: value } }, { key, usual });
        }
      }
    });
  }
});

/** Another value of a setting makes another layer, or is refused by name: at once, or when it is to be trained. */
function assertHeeded(
  layer: KerasObject,
  { key, usual }: { readonly key: string; readonly usual: Layer },
): void {
  const refused: string[] = [];
  try {
    refused.push(...findTrainingObstacles(layer));
    if (refused.length === 0) assert.notDeepEqual(parseKerasLayer(layer), usual, `${key} is dropped`);
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    refused.push(error.message);
  }
  for (const sentence of refused) assert.ok(sentence.includes(key), `${key} is not named: ${sentence}`);
}

for (const generation of GENERATIONS) {
  describe(`settings of Keras ${generation}`, () => {
    const refused = new Set<string>();
    const groups = settingGroups(generation);
    for (const group of groups) {
      const { class_name: className } = group.layer;
      it(`of ${className} behind [${group.inputShape}]`, async () => {
        const weights = fixedWeights(model(group, {}));
        const given = { inputs: [fixedInputs(group, 1, 50)], count: 1 };
        for (const each of group.cases) {
          if (!isAsked(each) || !fits(group, each)) continue;
          const description = model(group, each.changed);
          const [foreign] = foreignLayers(description);
          if (foreign === undefined) await checkBoth(description, { ...each, ...given });
          else {
            refused.add(`${className}.${each.setting}`);
            assertNamed(foreign.reason, each.setting);
            await checkTensorflow({ description, weights }, { ...each, ...given });
          }
          checkTraining(description, each);
        }
      });
    }

    it('are refused by the ONNX engine where it does not obey them, and nowhere else', () => {
      const known = groups.flatMap(({ layer, cases }) =>
        cases.filter(isAsked).map(({ setting }) => `${layer.class_name}.${setting}`),
      );
      const expected = REFUSED.filter((each) => known.includes(each));
      assert.deepEqual([...refused].sort(), expected.sort());
    });
  });
}

/** What Keras does not write, no file can ask for. */
const isAsked = ({ setting, changed }: SettingCase): boolean =>
  setting === null || Object.keys(changed).length > 0;

/** Whether the layers fit together: what is wrong there, no engine can obey, and it is refused by name. */
function fits(group: SettingGroup, { changed, setting }: SettingCase): boolean {
  try {
    model(group, changed);
    return true;
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    assertNamed(error.message, setting);
    return false;
  }
}

async function checkBoth(description: ModelDescription, each: Tried): Promise<void> {
  // The kernels of Keras 2 lack a normalisation of rows in this type.
  if (each.predictions === null && each.setting === 'dtype') return;
  const model = { description, weights: fixedWeights(description) };
  assertKeras(await predict(plainOnnxEngine, model, each), each);
  const found = await predict(await loadTensorflowEngine('cpu'), model, each).catch((error: unknown) => {
    if (error instanceof ModelError && ONNX_ONLY.test(error.message)) return undefined;
    throw error;
  });
  if (found !== undefined) assertKeras(found, each);
}

/** TensorFlow.js obeys what the ONNX engine does not, or refuses it. */
async function checkTensorflow(model: Model, each: Tried): Promise<void> {
  const engine = await loadTensorflowEngine('cpu');
  const found = await predict(engine, model, each).catch((error: unknown) => {
    if (!(error instanceof ModelError)) throw error;
    assertNamed(error.message, each.setting);
    return undefined;
  });
  if (found !== undefined) assertKeras(found, each);
}

function assertKeras(found: Float32Array, { setting, changed, predictions }: SettingCase): void {
  const what = `${setting} ${JSON.stringify(changed)}`;
  assert.ok(predictions !== null, `Keras itself cannot compute ${what}`);
  assertClose(found, predictions, { what, tolerance: TOLERANCE[typeName(changed)] ?? 1e-5 });
}

/** The name of the layer and of its setting. */
function assertNamed(message: string, setting: string | null): void {
  assert.match(message, /\btried\b/);
  assert.ok(message.includes(`${setting}`), message);
}

/** Training obeys the settings, or refuses them by name: those that only training asks for, too. */
function checkTraining(description: ModelDescription, { setting, changed }: SettingCase): void {
  // Nothing is left to train where the only layer with weights is frozen, or the one inside of it.
  const inner = asKerasObject(changed.layer);
  const isAsked = setting === 'trainable' || inner?.config.trainable === false;
  const isFrozen = isAsked && modelParameters(description).length > 0;
  if (isFrozen || setting === 'noise_shape') {
    assert.throws(
      () => requireTrainable(description),
      (error: unknown) => {
        assert.ok(error instanceof ModelError);
        assertNamed(error.message, setting);
        return true;
      },
    );
  } else {
    requireTrainable(description);
  }
}

function typeName({ dtype }: Readonly<Record<string, unknown>>): string {
  const policy = dtype as string | { readonly config: { readonly name: string } } | undefined;
  return typeof policy === 'object' ? policy.config.name : `${policy}`;
}
