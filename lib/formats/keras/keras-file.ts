/** What a Keras HDF5 model file holds, whichever Keras version wrote it: layers of its `model_config`, names of weights. */
import { DataError } from '../../core/errors.js';
import { own } from '../../core/own.js';
import type { WeightArray, Weights } from '../../core/weights.js';
import type { Extras } from '../../federation/client-side.js';
import type { UpdateFacts } from '../../federation/client-update.js';
import type { DataNames } from './data-names.js';

/** What error messages call the file of a model. */
export const KERAS_FILE = 'a Keras model (.h5 or .keras)';

/** What error messages call the file of an architecture alone. */
export const ARCHITECTURE = 'a Keras architecture (JSON, as model.to_json() gives it)';

/** A Keras model file: the architecture as Keras' own JSON, the weights in layer order, and our facts if present. */
export interface KerasFile {
  /** `model_config` as written by Keras (`{"class_name":"Sequential","config":…}`), parsed but not interpreted. */
  readonly modelConfig: unknown;
  /**
   * All arrays in the order of the layers, and within a layer in Keras' order (kernel, bias). Names are
   * `<layer>/<parameter>:0`, e.g. `conv2d/kernel:0`, whichever Keras version wrote the file.
   */
  readonly weights: Weights;
  /** `keras_version` of the writer, e.g. `2.2.4-tf`; `1` where it gave none. */
  readonly kerasVersion: string;
  /** `training_config` of a compiled model, as Keras wrote it. */
  readonly trainingConfig?: string | undefined;
  /** Which numbers are black and white in the model's input, e.g. `-1..1`, where it is not said to be 0 and 1. */
  readonly scale?: string | undefined;
  /** What its data call classes, columns and categories, where they call them something. */
  readonly names?: DataNames | undefined;
  /** What else metadata.json of an archive says by name, for people: written, and not read. */
  readonly facts?: Readonly<Record<string, string>>;
  /** The metrics that its task reports, the one that leads first, where it names some. */
  readonly metrics?: readonly string[] | undefined;
  /** Present in files that fedbatch's trainer wrote. */
  readonly update?: UpdateFacts;
  /** What its strategy needs of the update; read where it is asked for. */
  readonly extras?: Extras;
}

/** An array whose numbers stay in the file: it has no values, they begin there at byte `place`. */
export interface PlacedArray extends WeightArray {
  readonly place: number;
}

/** Whether an array's numbers stay in its file. */
export const isPlaced = (array: WeightArray): array is PlacedArray => 'place' in array;

/** Of an array that is in no memory. */
export const NO_VALUES = new Float32Array();

/** What is the same in all models of a run, beside its weights. */
export type KerasFrame = Pick<
  KerasFile,
  'modelConfig' | 'kerasVersion' | 'scale' | 'names' | 'trainingConfig' | 'metrics'
>;

/** The frame of a file alone. */
export const frameOf = ({
  modelConfig,
  kerasVersion,
  scale,
  names,
  trainingConfig,
  metrics,
}: KerasFrame): KerasFrame => ({ modelConfig, kerasVersion, scale, names, trainingConfig, metrics });

/** One layer of a `model_config`; `settings` are Keras' own, uninterpreted. */
export interface LayerConfig {
  readonly className: string;
  readonly name: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

/**
 * A model's layers in order, without input layers and operations (Keras lists none of those beside the weights).
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
  return layersIn(layers, file);
}

/** The layers of a list, likewise. */
export function layersIn(layers: readonly unknown[], file: string): readonly LayerConfig[] {
  const own = layers
    .filter((layer) => !isOperation(layer))
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

/** The names of layers that are not trained. */
export function frozenLayers(modelConfig: unknown): readonly string[] {
  const layers = layerConfigs(modelConfig, 'the global model');
  return layers.flatMap(({ name, settings }) => (settings.trainable === false ? [name] : []));
}

/** Keras 3 lists `a + b` and its like among the layers, and keeps nothing of them beside the weights. */
function isOperation(layer: unknown): boolean {
  const [nodes, config] = [field(layer, 'inbound_nodes'), field(layer, 'config')];
  const isOfKeras3 = Array.isArray(nodes) && nodes.some((node) => field(node, 'args') !== undefined);
  // A layer says more of itself, where it comes from to begin with.
  const isNamedOnly = isRecord(config) && Object.keys(config).join() === 'name';
  return isOfKeras3 && isNamedOnly && field(layer, 'module') === undefined;
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

/** Parameter names of Keras 1 that were renamed later; `running_std` always held the variance. */
const KERAS_1_NAMES: Readonly<Record<string, string>> = {
  W: 'kernel',
  b: 'bias',
  running_mean: 'moving_mean',
  running_std: 'moving_variance',
};

/**
 * Our names of one layer's weights: `<layer>/<parameter>:0`, e.g. `conv2d/kernel:0`, from what Keras 1
 * (`convolution2d_1_W`), Keras 2 (`conv2d/kernel:0`) or Keras 3 (`sequential/conv2d/kernel`) wrote.
 * A nested layer whose short names would clash keeps the whole ones behind its own.
 */
export function canonicalNames(layer: string, weightNames: readonly string[]): readonly string[] {
  const short = weightNames.map((name) => `${layer}/${parameterName(layer, name)}`);
  if (new Set(short).size === short.length) return short;
  const prefix = `${layer}/`;
  return weightNames.map((name) => withSuffix(name.startsWith(prefix) ? name : prefix + name));
}

/** The layer among `layers` that `weightName` (one of ours) belongs to, if any: the one with the longest name. */
export function layerOf(weightName: string, layers: ReadonlySet<string>): string | undefined {
  for (let end = weightName.lastIndexOf('/'); end > 0; end = weightName.lastIndexOf('/', end - 1)) {
    const layer = weightName.slice(0, end);
    if (layers.has(layer)) return layer;
  }
  return undefined;
}

function parameterName(layer: string, weightName: string): string {
  const last = weightName.slice(weightName.lastIndexOf('/') + 1);
  const keras1 = last.startsWith(`${layer}_`) ? last.slice(layer.length + 1) : last;
  return withSuffix(own(KERAS_1_NAMES, keras1) ?? keras1);
}

function withSuffix(name: string): string {
  return /:\d+$/.test(name) ? name : `${name}:0`;
}
