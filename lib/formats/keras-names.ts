/** Which layer a Keras weight belongs to and what it is called, the same for every Keras version. */
import { DataError } from '../federation/errors.js';

/** Parameter names of Keras 1 that were renamed later; `running_std` always held the variance. */
const KERAS_1_NAMES: Readonly<Record<string, string>> = {
  W: 'kernel',
  b: 'bias',
  running_mean: 'moving_mean',
  running_std: 'moving_variance',
};

/**
 * Names of a model's layers in order, without input layers (Keras lists none of those beside the weights).
 *
 * @throws {DataError} when `modelConfig` is no Keras configuration.
 */
export function layerNames(modelConfig: unknown, file: string): readonly string[] {
  const config = field(modelConfig, 'config');
  // Keras before 2.2.3 had the list of layers itself under `config`.
  const layers = Array.isArray(config) ? config : field(config, 'layers');
  if (!Array.isArray(layers)) {
    throw new DataError({ file, expected: 'a list of layers in model_config', found: 'none' });
  }
  return layers
    .filter((layer) => field(layer, 'class_name') !== 'InputLayer')
    .map((layer, index) => {
      const name = field(field(layer, 'config'), 'name') ?? field(layer, 'name');
      if (typeof name === 'string' && name !== '') return name;
      throw new DataError({ file, expected: `a name of layer ${index} in model_config`, found: 'none' });
    });
}

/**
 * Our names of one layer's weights: `<layer>/<parameter>:0`, e.g. `conv2d/kernel:0`, from what Keras 1
 * (`convolution2d_1_W`), Keras 2 (`conv2d/kernel:0`) or Keras 3 (`sequential/conv2d/kernel`) wrote.
 * A nested layer whose short names would clash keeps the whole ones behind its own.
 */
export function canonicalNames(layer: string, weightNames: readonly string[]): readonly string[] {
  const short = weightNames.map((name) => `${layer}/${parameterName(layer, name)}`);
  if (new Set(short).size === short.length) return short;
  return weightNames.map((name) => `${layer}/${withSuffix(name)}`);
}

/** The layer among `layers` that `weightName` (one of ours) belongs to, if any. */
export function layerOf(weightName: string, layers: readonly string[]): string | undefined {
  return layers
    .filter((layer) => weightName.startsWith(`${layer}/`))
    .reduce<string | undefined>(
      (best, layer) => (layer.length > (best?.length ?? 0) ? layer : best),
      undefined,
    );
}

function parameterName(layer: string, weightName: string): string {
  const last = weightName.slice(weightName.lastIndexOf('/') + 1);
  const keras1 = last.startsWith(`${layer}_`) ? last.slice(layer.length + 1) : last;
  return withSuffix(KERAS_1_NAMES[keras1] ?? keras1);
}

function withSuffix(name: string): string {
  return /:\d+$/.test(name) ? name : `${name}:0`;
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}
