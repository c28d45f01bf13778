/** A layer out of Keras' JSON, in the dialects of Keras 1, 2 and 3, and back into that of Keras 2, which Keras 3 reads. */

import { ModelError } from '../../core/errors.js';
import { readTraining } from '../layers/layer-training.js';
import { KERAS_CLASSES, type Layer, moduleOf } from '../layers/registry.js';
import { readFields, writtenLayer } from '../layers/settings.js';
import {
  asKerasObject,
  findObstacles,
  isWithoutEffect,
  type KerasObject,
  KerasSettings,
  quote,
  type UnreadSettings,
} from './keras-settings.js';

/**
 * One layer of a Keras model.
 *
 * @throws {ModelError} for a kind of layer or a setting that we do not know, named in the message
 */
export function parseKerasLayer(keras: KerasObject, writer?: { readonly kerasVersion?: string }): Layer {
  const { class_name: className, config } = keras;
  const name = kerasLayerName(keras);
  const known = KERAS_CLASSES.get(className);
  if (known === undefined) {
    const names = [...KERAS_CLASSES.keys()].join(', ');
    throw new ModelError(`layer ${name} is a ${className}; known are ${names}`);
  }
  const fields = readFields(known.kerasClass, new KerasSettings(kerasLayerTitle(keras), config, writer));
  const { training } = trainingOf(keras);
  return { kind: known.module.kind, name, ...fields, ...(training && { training }) } as Layer;
}

/** A layer as it is written. */
export function kerasLayer(layer: Layer): KerasObject {
  if (layer.kind === 'foreign') return layer.keras;
  return writtenLayer(layer, moduleOf(layer).keras);
}

/** The name of a layer; Keras gives each one. */
export function kerasLayerName({ class_name: className, config }: KerasObject): string {
  return typeof config.name === 'string' ? config.name : className.toLowerCase();
}

/** A layer as errors call it. */
export function kerasLayerTitle(keras: KerasObject): string {
  return `layer ${kerasLayerName(keras)} (${keras.class_name})`;
}

/** What our training would not respect in a layer, in words. */
export function findTrainingObstacles(keras: KerasObject, title = kerasLayerTitle(keras)): readonly string[] {
  const { known, obstacles } = trainingOf(keras, title);
  const inside = layersInside(keras);
  const isTold = (key: string) => known.includes(key) || inside.some(([each]) => each === key);
  const others = Object.entries(keras.config).filter(([key]) => !isTold(key));
  return [
    ...obstacles,
    ...inside.flatMap(([key, layer]) => {
      const where = `${title}, ${key} ${layer.class_name}`;
      const { activity_regularizer: activity } = layer.config;
      return [
        // Versions of Keras do not agree on how often it counts.
        ...(activity ? [`${where} has a setting activity_regularizer ${quote(activity)}`] : []),
        ...findTrainingObstacles(layer, where),
      ];
    }),
    ...findObstacles(title, { ...keras, config: Object.fromEntries(others) }, unreadOf),
  ];
}

/** The layers that are settings of a layer. */
function layersInside({
  class_name: className,
  config,
}: KerasObject): readonly (readonly [string, KerasObject])[] {
  if (!KERAS_CLASSES.has(className)) return [];
  return ['layer', 'backward_layer'].flatMap((key) => {
    const layer = asKerasObject(config[key]);
    return layer === undefined ? [] : [[key, layer] as const];
  });
}

/** What a layer asks of training; one without weights has nothing to freeze, one that is not ours asks its own engine. */
function trainingOf(keras: KerasObject, title = kerasLayerTitle(keras)): ReturnType<typeof readTraining> {
  const { class_name: className, config } = keras;
  if (!KERAS_CLASSES.has(className)) {
    const isFrozen = config.trainable === false && hasWeights(className);
    const obstacles = isFrozen ? [`${title} is frozen (trainable: false)`] : [];
    return { training: undefined, obstacles, known: [] };
  }
  const { trainable, ...others } = config;
  const [first, second = first] = layersInside(keras).map(([, layer]) => layer.config.trainable === false);
  // Versions of Keras do not agree on what is trained where not all is frozen, nor on the order of its weights.
  if (first !== undefined && (first !== second || (trainable === false && !first))) {
    const { obstacles, ...read } = readTraining(title, { config: others });
    return { ...read, obstacles: [`${title} is frozen (trainable: false)`, ...obstacles] };
  }
  return readTraining(title, { config: hasWeights(className) ? config : others });
}

/** Whether no engine needs to know this setting of a class to predict as Keras does. */
export function isUnneeded(className: string, key: string, value: unknown): boolean {
  return isWithoutEffect(key, value, unreadOf(className));
}

/** Layers like ours that only TensorFlow.js builds: it trains them all the same. */
const WITH_WEIGHTS = /^(Conv|BatchNorm)/;

/** Only of a layer with weights does it matter whether it is frozen. */
export function hasWeights(className: string): boolean {
  const known = KERAS_CLASSES.get(className);
  return known === undefined ? WITH_WEIGHTS.test(className) : known.module.parameters !== undefined;
}

const unreadOf = (className: string): UnreadSettings => KERAS_CLASSES.get(className)?.kerasClass ?? {};
