/** The table of docs/MODELS.md: the layers of Keras that are read, made of their registry and of what Keras itself computed. */

import { ModelError } from '../lib/core/errors.js';
import { requireKnown } from '../lib/engine/tensorflow/known-layers.js';
import { code, table } from '../lib/html/html.js';
import { type KerasObject, quote } from '../lib/model/keras/keras-settings.js';
import { foreignLayers } from '../lib/model/layers/foreign.js';
import { KERAS_CLASSES, LAYER_MODULES } from '../lib/model/layers/registry.js';
import type { KerasClass } from '../lib/model/layers/settings.js';
import type { ModelDescription } from '../lib/model/model-description.js';
import { functionalFixtures, functionalModel } from '../test/functional-fixtures.js';
import {
  behindInput,
  GENERATIONS,
  type SettingCase,
  type SettingGroup,
  settingGroups,
} from '../test/setting-fixtures.js';

/** The table, in Markdown. */
export async function modelsTable(): Promise<string> {
  const tried = await triedSettings();
  const classes = LAYER_MODULES.flatMap(({ keras }) => keras);
  const rows = classes.flatMap((each) => classRows(each, tried.get(each.names[0]) ?? new Map()));
  return table(['layer', 'setting', 'known as', 'trained', 'predicted', 'TensorFlow.js', 'checked'], rows);
}

/** What became of a setting's values, beside what Keras computed with them. */
interface Tried {
  trained: boolean;
  predicted: boolean;
  tensorflow: boolean;
  /** Versions of Keras whose predictions, and whose losses, are compared. */
  readonly predictions: Set<string>;
  readonly losses: Set<string>;
}

/** Settings that are told of all layers together. */
const OF_EVERY_LAYER = /^(name|trainable|dtype|seed|.*_initializer)$/;

/** By class and setting; the empty one is the layer as it is. */
async function triedSettings(): Promise<ReadonlyMap<string, ReadonlyMap<string, Tried>>> {
  const isBuilt = (description: Pick<ModelDescription, 'layers'>) => {
    try {
      requireKnown(description);
      return true;
    } catch (error) {
      if (error instanceof ModelError) return false;
      throw error;
    }
  };
  const found = new Map<string, Map<string, Tried>>();
  for (const group of GENERATIONS.flatMap(settingGroups)) {
    const { class_name: className } = group.layer;
    const settings = found.get(className) ?? new Map<string, Tried>();
    found.set(className, settings);
    for (const each of group.cases) {
      if (each.setting !== null && Object.keys(each.changed).length === 0) continue;
      const key = each.setting ?? '';
      const known = settings.get(key) ?? untried();
      settings.set(key, known);
      addTo(known, { group, each, isBuilt });
    }
  }
  for (const [className, settings] of await triedInFunctional(isBuilt)) found.set(className, settings);
  return found;
}

/** Those of layers of several inputs, which stand in functional models: a setting is tried where models differ in it. */
async function triedInFunctional(
  isBuilt: (description: Pick<ModelDescription, 'layers'>) => boolean,
): Promise<ReadonlyMap<string, Map<string, Tried>>> {
  const found = new Map<string, Map<string, Tried>>();
  for (const generation of GENERATIONS) {
    const values = new Map<string, Set<string>>();
    for (const { name } of functionalFixtures(generation)) {
      const { file, model } = await functionalModel(name, generation);
      for (const { class_name: className, config } of layersOf(file.modelConfig)) {
        if ((KERAS_CLASSES.get(className)?.module.inputCount ?? [1])[0] === 1) continue;
        const layers = model.description.layers.filter((each) => each.name === config.name);
        for (const [key, value] of [['', className], ...Object.entries(config)]) {
          const seen = values.get(`${className}.${key}`) ?? new Set();
          values.set(`${className}.${key}`, seen.add(JSON.stringify(value)));
          if (key !== '' && seen.size < 2) continue;
          const settings = found.get(className) ?? new Map<string, Tried>();
          found.set(className, settings);
          const known = settings.get(`${key}`) ?? untried();
          settings.set(`${key}`, known);
          known.predicted = known.trained = true;
          known.tensorflow ||= isBuilt({ layers });
          known.predictions.add(generation);
          known.losses.add(generation);
        }
      }
    }
  }
  return found;
}

const layersOf = (modelConfig: unknown): readonly KerasObject[] =>
  (modelConfig as { readonly config: { readonly layers: readonly KerasObject[] } }).config.layers;

const untried = (): Tried => ({
  ...{ trained: false, predicted: false, tensorflow: false },
  ...{ predictions: new Set<string>(), losses: new Set<string>() },
});

function addTo(
  tried: Tried,
  {
    group,
    each,
    isBuilt,
  }: {
    readonly group: SettingGroup;
    readonly each: SettingCase;
    readonly isBuilt: (description: Pick<ModelDescription, 'layers'>) => boolean;
  },
): void {
  const description = describe(group, each);
  if (description === undefined || foreignLayers(description).length > 0) return;
  const isTrained = description.trainingObstacles === undefined;
  tried.predicted = true;
  tried.trained ||= isTrained;
  tried.tensorflow ||= isBuilt(description);
  if (each.predictions !== null) tried.predictions.add(group.kerasVersion);
  if (each.trained !== undefined && isTrained) tried.losses.add(group.kerasVersion);
}

function describe(group: SettingGroup, { changed }: SettingCase): ModelDescription | undefined {
  try {
    return behindInput(group, [{ ...group.layer, config: { ...group.layer.config, ...changed } }]);
  } catch (error) {
    if (error instanceof ModelError) return undefined;
    throw error;
  }
}

/** The layer as it is, and each of its settings. */
function classRows(kerasClass: KerasClass, tried: ReadonlyMap<string, Tried>): readonly string[][] {
  const { names, settings, withoutEffect = [], forTrainingOnly = [] } = kerasClass;
  const declared = Object.values(settings).map((setting): readonly [string, string, string] => {
    const [key] = setting.keys;
    const shown = setting.keys.map(code).join(' or ');
    return 'allowed' in setting
      ? [key, shown, `${code(quote(setting.allowed[0]))} only`]
      : [key as string, shown, setting.expected];
  });
  const told = new Set([...declared.map(([key]) => key), ...withoutEffect, ...forTrainingOnly]);
  const others = [...tried.keys()].filter((key) => key !== '' && !told.has(key) && !OF_EVERY_LAYER.test(key));
  const rows = [...declared, ...[...others, ...forTrainingOnly].map((key) => [key, code(key), ''] as const)];
  return [
    [names.map(code).join(', '), '', '', ...cells(tried.get(''))],
    ...rows.map(([key, shown, expected]) => ['', shown, expected, ...cells(tried.get(key))]),
    ...withoutEffect
      .filter((key) => !OF_EVERY_LAYER.test(key))
      .map((key) => ['', code(key), 'without effect', ...cells(undefined)]),
  ];
}

function cells(tried: Tried | undefined): readonly string[] {
  if (tried === undefined) return ['', '', '', ''];
  const { trained, predicted, tensorflow, predictions, losses } = tried;
  if (!predicted) return ['refused', 'refused', '', ''];
  const answer = (isSo: boolean) => (isSo ? 'yes' : 'no');
  const versions = (some: ReadonlySet<string>) => `Keras ${[...some].sort().join(' and ')}`;
  const isBoth = versions(predictions) === versions(losses);
  const checked = isBoth
    ? [`${versions(losses)}: predictions, 20 steps`]
    : [
        ...(predictions.size > 0 ? [`${versions(predictions)}: predictions`] : []),
        ...(losses.size > 0 ? [`${versions(losses)}: 20 steps`] : []),
      ];
  return [trained ? 'yes' : 'refused', 'yes', answer(tensorflow), checked.join('; ')];
}
