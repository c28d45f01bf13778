/** What the formats need to know of a Keras `model_config`: its layers, their classes, names and a few settings. */
import { DataError } from '../core/errors.js';

/** One layer of a `model_config`; `settings` are Keras' own, uninterpreted. */
export interface LayerConfig {
  readonly className: string;
  readonly name: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

/**
 * A model's layers in order, without input layers (Keras lists none of those beside the weights).
 *
 * @throws {DataError} when `modelConfig` is no Keras configuration, or two layers have one name.
 */
export function layerConfigs(modelConfig: unknown, file: string): readonly LayerConfig[] {
  const config = field(modelConfig, 'config');
  // Keras before 2.2.3 had the list of layers itself under `config`.
  const layers = Array.isArray(config) ? config : field(config, 'layers');
  if (!Array.isArray(layers)) {
    throw new DataError({ file, expected: 'a list of layers in model_config', found: 'none' });
  }
  const own = layers
    .map((layer, index) => layerConfig(layer, { index, file }))
    .filter((layer) => layer.className !== 'InputLayer');
  const names = own.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice === undefined) return own;
  throw new DataError({
    file,
    expected: 'a name for each layer in model_config',
    found: `two layers "${twice}"`,
  });
}

function layerConfig(layer: unknown, at: { readonly index: number; readonly file: string }): LayerConfig {
  const className = field(layer, 'class_name');
  const settings = field(layer, 'config');
  const name = field(settings, 'name') ?? field(layer, 'name');
  if (typeof className === 'string' && isRecord(settings) && typeof name === 'string' && isPathPart(name)) {
    return { className, name, settings };
  }
  throw new DataError({
    file: at.file,
    expected: `a class_name, a config and a name of layer ${at.index} in model_config`,
    found: JSON.stringify(layer)?.slice(0, 80) ?? 'nothing',
  });
}

/** Whether a name can stand in an HDF5 path; slashes make groups. */
function isPathPart(name: string): boolean {
  return name.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

function field(value: unknown, key: string): unknown {
  return isRecord(value) ? value[key] : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
