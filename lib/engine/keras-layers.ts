/** Keras' JSON of a layer, in the dialects of Keras 1, 2 and 3, as a typed layer. */
import { z } from 'zod';
import type { Activation, Extent, Layer, Padding } from '../model/model-description.js';
import { findObstacles, KerasSettings } from './keras-settings.js';
import { ModelError } from './parameters.js';

/** A layer as it stands in `model_config`. */
export const kerasLayerSchema = z.object({
  class_name: z.string(),
  config: z.record(z.string(), z.unknown()),
  /** Where Keras 3 found the class. */
  module: z.string().nullish(),
  /** The name of a class that is not Keras' own. */
  registered_name: z.string().nullish(),
});
export type KerasLayer = z.infer<typeof kerasLayerSchema>;

/** What settings have to be; made once, for a schema costs more than what it reads. */
const rateSchema = z.number().min(0).lt(1);
const shareSchema = z.number().min(0).max(1);
const epsilonSchema = z.number().min(0);
const booleanSchema = z.boolean();
const sizeSchema = z.number().int().positive();
const extentSchema = z.union([
  z.tuple([sizeSchema, sizeSchema]),
  sizeSchema.transform((side) => [side, side] as const),
]);
const paddingSchema = z.enum(['valid', 'same']);
const axisNumber = z.number().int();
/** Keras 2 writes it as a list of one. */
const axisSchema = z.union([axisNumber, z.tuple([axisNumber]).transform(([only]) => only)]);
const activationSchema = z.union([
  z.enum(['linear', 'relu', 'softmax', 'sigmoid', 'tanh']),
  kerasLayerSchema.refine(({ class_name: className }) => ACTIVATION_LAYERS.has(className)),
]);

type Parse = (name: string, settings: KerasSettings) => Layer;

/** Keras' class names of the layers that we know, alternative spellings included. */
const PARSERS: ReadonlyMap<string, Parse> = new Map<string, Parse>([
  ['Conv2D', parseConv2d],
  ['Convolution2D', parseConv2d],
  ['MaxPooling2D', (name, settings) => parsePooling('maxPooling2d', name, settings)],
  ['MaxPool2D', (name, settings) => parsePooling('maxPooling2d', name, settings)],
  ['AveragePooling2D', (name, settings) => parsePooling('averagePooling2d', name, settings)],
  ['AvgPool2D', (name, settings) => parsePooling('averagePooling2d', name, settings)],
  ['GlobalAveragePooling2D', parseGlobalAveragePooling],
  ['GlobalAvgPool2D', parseGlobalAveragePooling],
  ['Dense', parseDense],
  ['Flatten', parseFlatten],
  ['Dropout', parseDropout],
  ['Activation', parseActivation],
  ['ReLU', parseRelu],
  ['Softmax', parseSoftmax],
  ['BatchNormalization', parseBatchNormalization],
]);

/** The layers that are nothing but an activation, and may stand as the activation of another one. */
const ACTIVATION_LAYERS: ReadonlyMap<string, (settings: KerasSettings) => Activation> = new Map([
  ['ReLU', readRelu],
  ['Softmax', readSoftmax],
  ['Activation', readActivation],
]);

/**
 * One layer of a Keras model.
 *
 * @throws {ModelError} for a kind of layer or a setting that we do not know, named in the message
 */
export function parseKerasLayer(keras: KerasLayer): Layer {
  const { class_name: className, config } = keras;
  const parse = PARSERS.get(className);
  if (parse === undefined) {
    const known = [...PARSERS.keys()].join(', ');
    throw new ModelError(`layer ${kerasLayerName(keras)} is a ${className}; known are ${known}`);
  }
  const settings = new KerasSettings(kerasLayerTitle(keras), config);
  settings.only('data_format', 'channels_last', null);
  settings.only('dim_ordering', 'tf', 'default', null);
  const layer = parse(kerasLayerName(keras), settings);
  settings.requireAllRead();
  return layer;
}

/** The name of a layer; Keras gives each one. */
export function kerasLayerName({ class_name: className, config }: KerasLayer): string {
  return typeof config.name === 'string' ? config.name : className.toLowerCase();
}

/** A layer as errors call it. */
export function kerasLayerTitle(keras: KerasLayer): string {
  return `layer ${kerasLayerName(keras)} (${keras.class_name})`;
}

/** Makes sure that a class is Keras' own, and not another one of that name. @throws {ModelError} */
export function requireKerasClass(keras: KerasLayer, where = `layer ${kerasLayerName(keras)}`): void {
  const { class_name: className, module, registered_name: registered } = keras;
  const isOwn =
    (registered ?? className) === className && /^(tf_)?keras\b|^tensorflow\./.test(module ?? 'keras');
  if (!isOwn) throw new ModelError(`${where} is a class of its own, ${registered ?? module}`);
}

/** What our training would not respect in a layer, in words. */
export function findTrainingObstacles(keras: KerasLayer): readonly string[] {
  const title = kerasLayerTitle(keras);
  const isFrozen = keras.config.trainable === false && PARAMETRIC.test(keras.class_name);
  return [
    ...(isFrozen ? [`${title} is frozen (trainable: false)`] : []),
    ...findObstacles(title, keras.config),
  ];
}

/** Layers with weights: only of these does it matter whether they are frozen. */
const PARAMETRIC = /^(Conv|Dense|BatchNorm)/;

/** The layer that every model of Keras 2 and 3 begins with. @throws {ModelError} for an input that is no array of numbers */
export function requirePlainInput(keras: KerasLayer): void {
  new KerasSettings(kerasLayerTitle(keras), keras.config).requireAllRead();
}

function parseConv2d(name: string, settings: KerasSettings): Layer {
  settings.only('groups', 1);
  settings.only('dilation_rate', 1);
  return {
    kind: 'conv2d',
    name,
    filters: readSize(settings, ['filters', 'nb_filter']),
    kernel: settings.has('nb_row')
      ? [readSize(settings, ['nb_row']), readSize(settings, ['nb_col'])]
      : readExtent(settings, ['kernel_size']),
    strides: readExtent(settings, ['strides', 'subsample'], [1, 1]),
    padding: readPadding(settings),
    useBias: readBoolean(settings, ['use_bias', 'bias']),
    activation: readActivation(settings),
  };
}

function parsePooling(
  kind: 'maxPooling2d' | 'averagePooling2d',
  name: string,
  settings: KerasSettings,
): Layer {
  const pool = readExtent(settings, ['pool_size'], [2, 2]);
  return {
    kind,
    name,
    pool,
    strides: readExtent(settings, ['strides'], pool),
    padding: readPadding(settings),
  };
}

function parseGlobalAveragePooling(name: string, settings: KerasSettings): Layer {
  settings.only('keepdims', false, null);
  return { kind: 'globalAveragePooling2d', name };
}

function parseDense(name: string, settings: KerasSettings): Layer {
  return {
    kind: 'dense',
    name,
    units: readSize(settings, ['units', 'output_dim']),
    useBias: readBoolean(settings, ['use_bias', 'bias']),
    activation: readActivation(settings),
  };
}

function parseFlatten(name: string): Layer {
  return { kind: 'flatten', name };
}

function parseDropout(name: string, settings: KerasSettings): Layer {
  const rate = settings.read(rateSchema, {
    keys: ['rate', 'p'],
    expected: 'a share of at least 0 and below 1',
  });
  return { kind: 'dropout', name, rate };
}

function parseActivation(name: string, settings: KerasSettings): Layer {
  return { kind: 'activation', name, activation: readActivation(settings) };
}

function parseRelu(name: string, settings: KerasSettings): Layer {
  return { kind: 'activation', name, activation: readRelu(settings) };
}

function parseSoftmax(name: string, settings: KerasSettings): Layer {
  return { kind: 'activation', name, activation: readSoftmax(settings) };
}

function parseBatchNormalization(name: string, settings: KerasSettings): Layer {
  settings.only('mode', 0);
  settings.only('renorm', false, null);
  return {
    kind: 'batchNormalization',
    name,
    axis: settings.read(axisSchema, {
      keys: ['axis'],
      expected: 'the number of one axis',
      fallback: -1,
    }),
    momentum: settings.read(shareSchema, {
      keys: ['momentum'],
      expected: 'a share from 0 to 1',
      fallback: 0.99,
    }),
    epsilon: settings.read(epsilonSchema, {
      keys: ['epsilon'],
      expected: 'a number of at least 0',
      fallback: 1e-3,
    }),
    center: readBoolean(settings, ['center']),
    scale: readBoolean(settings, ['scale']),
  };
}

function readSize(settings: KerasSettings, keys: readonly string[]): number {
  return settings.read(sizeSchema, { keys, expected: 'a whole number of at least 1' });
}

function readBoolean(settings: KerasSettings, keys: readonly string[]): boolean {
  return settings.read(booleanSchema, { keys, expected: 'true or false', fallback: true });
}

function readExtent(settings: KerasSettings, keys: readonly string[], fallback?: Extent): Extent {
  return settings.read(extentSchema, { keys, expected: 'one or two whole numbers of at least 1', fallback });
}

function readPadding(settings: KerasSettings): Padding {
  return settings.read(paddingSchema, {
    keys: ['padding', 'border_mode'],
    expected: 'valid or same',
    fallback: 'valid',
  });
}

/** An activation by its name, or as a layer in the place of a name. */
function readActivation(settings: KerasSettings): Activation {
  const found = settings.read(activationSchema, {
    keys: ['activation'],
    expected: 'linear, relu, softmax, sigmoid or tanh',
    fallback: 'linear',
  });
  if (typeof found === 'string') return found;
  const where = `${settings.where}, activation ${found.class_name}`;
  requireKerasClass(found, where);
  const inner = new KerasSettings(where, found.config);
  const activation = ACTIVATION_LAYERS.get(found.class_name)?.(inner) ?? 'linear';
  inner.requireAllRead();
  return activation;
}

function readRelu(settings: KerasSettings): Activation {
  settings.only('max_value', null);
  settings.only('negative_slope', 0, null);
  settings.only('threshold', 0, null);
  return 'relu';
}

function readSoftmax(settings: KerasSettings): Activation {
  settings.only('axis', -1, null);
  return 'softmax';
}
