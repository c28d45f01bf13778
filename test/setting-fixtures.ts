/** What Keras makes of every setting of every layer: `lib/model/keras/fixtures/make_setting_fixtures.py` makes the files. */
import { readFileSync } from 'node:fs';
import { ModelError } from '../lib/core/errors.js';
import { sizeOf, type Weights } from '../lib/core/weights.js';
import type { Engine } from '../lib/engine/engine.js';
import { describeKerasConfig } from '../lib/model/keras/keras-model.js';
import type { KerasObject } from '../lib/model/keras/keras-settings.js';
import { foreignLayers } from '../lib/model/layers/foreign.js';
import type { Model, ModelDescription } from '../lib/model/model-description.js';
import { modelParameters } from '../lib/model/parameters.js';

/** The versions of Keras that made a file. */
export const GENERATIONS = ['2', '3'] as const;

/** One layer in an input, and what Keras makes of it and of another value of each of its settings. */
export interface SettingGroup {
  readonly kerasVersion: string;
  readonly inputShape: readonly number[];
  /** Inputs are whole numbers from 0 below this, where it is given. */
  readonly below?: number;
  readonly layer: KerasObject;
  readonly cases: readonly SettingCase[];
}

/** A setting of a layer with another value. */
export interface SettingCase {
  /** Null for the layer as it is. */
  readonly setting: string | null;
  /** What is another in the layer's JSON. */
  readonly changed: Readonly<Record<string, unknown>>;
  /** Of the layer alone with a softmax; null where Keras cannot compute it. */
  readonly predictions: readonly number[] | null;
  /** Of {@link trainedModel}. */
  readonly trained?: Trained;
}

/** The losses of the steps, each before its update, and the predictions after the last. */
export interface Trained {
  readonly losses: readonly number[];
  readonly predictions: readonly number[];
}

/** How near the predictions after {@link trainAsKeras} come to Keras' own. */
export function trainedTolerance({ kerasVersion, layer }: SettingGroup): number {
  // The moving variance of Keras 2 gets the unbiased one of a batch of images, n / (n - 1) as large.
  return kerasVersion === '2' && layer.class_name === 'BatchNormalization' ? 2e-3 : 1e-4;
}

const OPTIMIZER = { kind: 'sgd', learningRate: 0.1, momentum: 0 } as const;
const STEPS = 20;
const [EXAMPLES, CLASSES] = [4, 3];

/** All groups of a version. */
export function settingGroups(kerasVersion: string): readonly SettingGroup[] {
  // Fixtures are not compiled: they lie in the source tree, seen from dist/test/.
  const file = new URL(`../../lib/model/keras/fixtures/keras${kerasVersion}-settings.json`, import.meta.url);
  const groups = JSON.parse(readFileSync(file, 'utf8')) as readonly Omit<SettingGroup, 'kerasVersion'>[];
  return groups.map((group) => ({ kerasVersion, ...group }));
}

/**
 * A group's layer, its settings changed, between layers that are trained; undefined where the layer is refused, or not
 * trained.
 */
export function trainedModel(group: SettingGroup, changed: object): ModelDescription | undefined {
  try {
    const description = modelAround(group, changed);
    const isKnown = foreignLayers(description).length === 0;
    return isKnown && description.trainingObstacles === undefined ? description : undefined;
  } catch (error) {
    if (error instanceof ModelError) return undefined;
    throw error;
  }
}

function modelAround(group: SettingGroup, changed: object): ModelDescription {
  const { inputShape, below, layer } = group;
  const before = {
    ...{ name: 'before', activation: 'tanh' },
    ...(inputShape.length === 3
      ? { filters: inputShape.at(-1), kernel_size: 1 }
      : { units: inputShape.at(-1) }),
  };
  return behindInput(group, [
    ...(below === undefined
      ? [{ class_name: inputShape.length === 3 ? 'Conv2D' : 'Dense', config: before }]
      : []),
    { ...layer, config: { ...layer.config, ...changed } },
    { class_name: 'Flatten', config: { name: 'flat' } },
    { class_name: 'Dense', config: { name: 'head', units: CLASSES, activation: 'softmax' } },
  ]);
}

/** Layers behind a group's input; those that are not known are kept as they are. */
export function behindInput(
  { inputShape, kerasVersion }: SettingGroup,
  layers: readonly KerasObject[],
): ModelDescription {
  const input = { class_name: 'InputLayer', config: { batch_input_shape: [null, ...inputShape] } };
  const modelConfig = { class_name: 'Sequential', config: { layers: [input, ...layers] } };
  return describeKerasConfig(modelConfig, { keepForeignLayers: true, kerasVersion });
}

/** Trains a {@link trainedModel} as Keras did. */
export async function trainAsKeras(
  engine: Engine,
  { group, description }: { readonly group: SettingGroup; readonly description: ModelDescription },
): Promise<{ readonly model: Model; readonly losses: readonly number[] }> {
  const session = await engine.createTrainingSession(
    { description, weights: fixedWeights(description) },
    { optimizer: OPTIMIZER, seed: 0, threads: 1 },
  );
  const losses: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const { loss } = await session.step({
      count: EXAMPLES,
      inputs: [fixedInputs(group, EXAMPLES, 10 * step)],
      targets: [Int32Array.from({ length: EXAMPLES }, (_, at) => (at + step) % CLASSES)],
    });
    losses.push(loss);
  }
  const model = { description, weights: await session.weights() };
  await session.dispose();
  return { model, losses };
}

/** The examples that Keras was given. */
export function fixedInputs(
  { inputShape, below }: { readonly inputShape: readonly number[]; readonly below?: number | undefined },
  count: number,
  salt: number,
): Float32Array {
  const values = fixedNumbers([count, ...inputShape], salt);
  return below === undefined ? values : values.map((value) => Math.floor((value + 0.5) * below));
}

/** The weights that Keras was given. */
export function fixedWeights(description: ModelDescription): Weights {
  return modelParameters(description).map(({ layer, role, shape }, at) => ({
    name: `${layer}/${role}:0`,
    shape,
    values: fixedNumbers(shape, at, role.includes('variance') ? 0.5 : -0.5),
  }));
}

/** Numbers that the generators of the fixtures make, too. */
export const fixedNumbers = (shape: readonly number[], salt: number, offset = -0.5): Float32Array =>
  Float32Array.from({ length: sizeOf(shape) }, (_, at) => ((at * 37 + salt) % 101) / 101 + offset);
