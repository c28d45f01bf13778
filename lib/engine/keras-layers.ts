/** Keras' JSON of a layer, in the dialects of Keras 1, 2 and 3, as a typed layer. */
import { z } from 'zod';
import { own } from '../federation/own.js';
import type { Activation, Extent, Layer, Padding } from './model-description.js';
import { ModelError } from './parameters.js';

/** A layer as it stands in `model_config`. */
export const kerasLayerSchema = z.object({
  class_name: z.string(),
  config: z.record(z.string(), z.unknown()),
});
export type KerasLayer = z.infer<typeof kerasLayerSchema>;

/** Keras' class names of the layers that we know, alternative spellings included. */
const PARSERS: Readonly<Record<string, (name: string, config: LayerConfig) => Layer>> = {
  Conv2D: parseConv2d,
  Convolution2D: parseConv2d,
  MaxPooling2D: (name, config) => parsePooling('maxPooling2d', name, config),
  MaxPool2D: (name, config) => parsePooling('maxPooling2d', name, config),
  AveragePooling2D: (name, config) => parsePooling('averagePooling2d', name, config),
  AvgPool2D: (name, config) => parsePooling('averagePooling2d', name, config),
  GlobalAveragePooling2D: parseGlobalAveragePooling,
  GlobalAvgPool2D: parseGlobalAveragePooling,
  Dense: parseDense,
  Flatten: parseFlatten,
  Dropout: (name, config) => ({ kind: 'dropout', name, rate: config.number(['rate', 'p']) }),
  Activation: (name, config) => ({ kind: 'activation', name, activation: config.activation() }),
  ReLU: parseRelu,
  Softmax: parseSoftmax,
  BatchNormalization: parseBatchNormalization,
};

/**
 * One layer of a Keras model.
 *
 * @throws {ModelError} for a kind of layer or a setting that we do not know, named in the message
 */
export function parseKerasLayer({ class_name: className, config: raw }: KerasLayer): Layer {
  const name = typeof raw.name === 'string' ? raw.name : className.toLowerCase();
  const parse = own(PARSERS, className);
  if (parse === undefined) {
    throw new ModelError(`layer ${name} is a ${className}; known are ${Object.keys(PARSERS).join(', ')}`);
  }
  const config = new LayerConfig(`layer ${name} (${className})`, raw);
  config.requireDefault('data_format', ['channels_last', null]);
  config.requireDefault('dim_ordering', ['tf', 'default']);
  return parse(name, config);
}

/** What our training would not respect in a layer, in words. */
export function findTrainingObstacles({ class_name: className, config }: KerasLayer): readonly string[] {
  const where = `layer ${config.name} (${className})`;
  const regularizers = Object.keys(config).filter(
    (key) => key.endsWith('_regularizer') || key.endsWith('_constraint'),
  );
  return [
    ...(config.trainable === false && PARAMETRIC.test(className)
      ? [`${where} is frozen (trainable: false)`]
      : []),
    ...regularizers.filter((key) => isSet(config[key])).map((key) => `${where} has a ${key}`),
  ];
}

/** Layers with weights: only of these does it matter whether they are frozen. */
const PARAMETRIC = /^(Conv|Dense|BatchNorm)/;

const isSet = (value: unknown) => value !== undefined && value !== null;

function parseConv2d(name: string, config: LayerConfig): Layer {
  config.requireDefault('groups', [1]);
  config.requireOnes('dilation_rate');
  return {
    kind: 'conv2d',
    name,
    filters: config.number(['filters', 'nb_filter']),
    kernel: config.has('nb_row')
      ? [config.number(['nb_row']), config.number(['nb_col'])]
      : config.extent(['kernel_size']),
    strides: config.extent(['strides', 'subsample'], [1, 1]),
    padding: config.padding(),
    useBias: config.boolean(['use_bias', 'bias'], true),
    activation: config.activation(),
  };
}

function parsePooling(kind: 'maxPooling2d' | 'averagePooling2d', name: string, config: LayerConfig): Layer {
  const pool = config.extent(['pool_size'], [2, 2]);
  return { kind, name, pool, strides: config.extent(['strides'], pool), padding: config.padding() };
}

function parseGlobalAveragePooling(name: string, config: LayerConfig): Layer {
  config.requireDefault('keepdims', [false]);
  return { kind: 'globalAveragePooling2d', name };
}

function parseDense(name: string, config: LayerConfig): Layer {
  return {
    kind: 'dense',
    name,
    units: config.number(['units', 'output_dim']),
    useBias: config.boolean(['use_bias', 'bias'], true),
    activation: config.activation(),
  };
}

function parseFlatten(name: string): Layer {
  return { kind: 'flatten', name };
}

function parseRelu(name: string, config: LayerConfig): Layer {
  config.requireDefault('max_value', [null]);
  config.requireDefault('negative_slope', [0]);
  config.requireDefault('threshold', [0]);
  return { kind: 'activation', name, activation: 'relu' };
}

function parseSoftmax(name: string, config: LayerConfig): Layer {
  config.requireDefault('axis', [-1]);
  return { kind: 'activation', name, activation: 'softmax' };
}

function parseBatchNormalization(name: string, config: LayerConfig): Layer {
  // The axis is written as -1, as 3 behind a convolution, as 1 behind a dense layer, or as a list of one of these.
  config.requireDefault('mode', [0]);
  return {
    kind: 'batchNormalization',
    name,
    momentum: config.number(['momentum'], 0.99),
    epsilon: config.number(['epsilon'], 1e-3),
    center: config.boolean(['center'], true),
    scale: config.boolean(['scale'], true),
  };
}

/** Reads settings of one layer under any of their names; errors name the layer and the setting. */
class LayerConfig {
  readonly #where: string;
  readonly #raw: Readonly<Record<string, unknown>>;

  constructor(where: string, raw: Readonly<Record<string, unknown>>) {
    this.#where = where;
    this.#raw = raw;
  }

  has(key: string): boolean {
    return this.#raw[key] !== undefined;
  }

  number(keys: readonly string[], fallback?: number): number {
    return this.#parse(z.number(), { keys, expected: 'a number', fallback });
  }

  boolean(keys: readonly string[], fallback: boolean): boolean {
    return this.#parse(z.boolean(), { keys, expected: 'true or false', fallback });
  }

  extent(keys: readonly string[], fallback?: Extent): Extent {
    const size = z.number().int().positive();
    const schema = z.union([z.tuple([size, size]), size.transform((side) => [side, side] as const)]);
    return this.#parse(schema, { keys, expected: 'one or two whole numbers', fallback });
  }

  padding(): Padding {
    return this.#parse(z.enum(['valid', 'same']), {
      keys: ['padding', 'border_mode'],
      expected: 'valid or same',
      fallback: 'valid',
    });
  }

  activation(): Activation {
    return this.#parse(z.enum(['linear', 'relu', 'softmax', 'sigmoid', 'tanh']), {
      keys: ['activation'],
      expected: 'linear, relu, softmax, sigmoid or tanh',
      fallback: 'linear',
    });
  }

  /** A setting that we know in its default only. */
  requireDefault(key: string, allowed: readonly unknown[]): void {
    const value = this.#raw[key];
    if (value === undefined || allowed.includes(value)) return;
    throw new ModelError(
      `${this.#where}: ${key} ${JSON.stringify(value)} is not supported, only ${allowed.join(' or ')}`,
    );
  }

  requireOnes(key: string): void {
    const value = this.#raw[key];
    if (value === undefined || [value].flat().every((each) => each === 1)) return;
    throw new ModelError(`${this.#where}: ${key} ${JSON.stringify(value)} is not supported, only 1`);
  }

  #parse<T>(
    schema: z.ZodType<T>,
    {
      keys,
      expected,
      fallback,
    }: { readonly keys: readonly string[]; readonly expected: string; readonly fallback: T | undefined },
  ): T {
    const key = keys.find((each) => this.has(each)) ?? keys[0] ?? '';
    const value = this.#raw[key];
    if ((value === undefined || value === null) && fallback !== undefined) return fallback;
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw new ModelError(`${this.#where}: expected ${key} to be ${expected}, found ${JSON.stringify(value)}`);
  }
}
