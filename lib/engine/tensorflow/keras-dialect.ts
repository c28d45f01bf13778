/** Keras' JSON as TensorFlow.js 4.22 takes it, and a check of what it took: it drops in silence what it does not know. */
import type * as Tf from '@tensorflow/tfjs';
import { ModelError } from '../../core/errors.js';
import { own } from '../../core/own.js';
import { hasWeights, isUnneeded } from '../../model/keras/keras-layers.js';
import { asKerasObject, quote } from '../../model/keras/keras-settings.js';
import type { ForeignLayer } from '../../model/layers/foreign.js';

type Settings = Readonly<Record<string, unknown>>;

/** What Keras 3 calls otherwise, by class. */
const OLD_NAMES: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map([
  ['LeakyReLU', new Map([['negative_slope', 'alpha']])],
]);

/** What layers do not say of themselves: the values at which TensorFlow.js computes what Keras does. */
const UNTOLD: ReadonlyMap<string, (value: unknown) => boolean> = new Map<string, (value: unknown) => boolean>(
  [
    ['fill_mode', (value) => value === 'constant'],
    ['groups', (value) => value === 1],
    ['negative_slope', (value) => value === 0],
    ['threshold', (value) => value === 0],
    ['fill_value', (value) => value === 0],
    ['dilation_rate', (value) => isSame(value, 1)],
    ['data_format', (value) => value === 'channels_last'],
    // The shape of the kernel tells it.
    ['depth_multiplier', () => true],
  ],
);

/** What layers of tf.layers take and compute otherwise than Keras: bilinear, it mixes other pixels. */
const COMPUTED_OTHERWISE: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ['UpSampling2D.interpolation', (value: unknown) => value !== 'nearest'],
]);

/**
 * Keras 3 writes types as objects and has new names for some settings. Random initial weights take time, and are
 * written over: they start at 0.
 */
export function asTensorflowTakes(config: unknown): unknown {
  return JSON.parse(JSON.stringify(config), (key, value: unknown) => {
    if (value === null || value === undefined) return value;
    if (key.endsWith('_initializer')) return 'zeros';
    if (key === 'dtype') return 'float32';
    const object = asKerasObject(value);
    if (object === undefined) return value;
    const { class_name: className, config: settings } = object;
    if (className.startsWith('SeparableConv')) return { ...value, config: withoutKernelSettings(settings) };
    // Those of ours do not say how they began.
    if (hasWeights(className)) {
      return { ...value, config: { ...settings, kernel_initializer: 'zeros' } };
    }
    const renamed = Object.entries(settings).map(([name, each]) => [oldName(className, name), each]);
    return { ...value, config: Object.fromEntries(renamed) };
  });
}

/**
 * Makes sure that the layers that were built say of themselves what the file says of them.
 *
 * @throws {ModelError} naming the first setting that one does not have, with its value in the file
 */
export function requireTaken(model: Tf.LayersModel, layers: readonly ForeignLayer[]): void {
  const isMasked = layers.some(
    ({ keras }) => keras.class_name === 'Masking' || keras.config.mask_zero === true,
  );
  for (const { name, keras } of layers) {
    const built = model.getLayer(name);
    const rank = [built.outputShape].flat().length;
    const place = {
      where: `layer ${name} (${keras.class_name})`,
      className: keras.class_name,
      rank,
      isMasked,
    };
    compare(place, keras.config, built.getConfig());
  }
}

interface Place {
  readonly where: string;
  readonly className: string;
  /** Of the tensors around the layer: axes may be counted from the last one. */
  readonly rank: number;
  /** Whether a layer of the model tells others to leave steps out. */
  readonly isMasked: boolean;
}

function compare(place: Place, given: Settings, taken: Settings): void {
  for (const [key, value] of Object.entries(given)) {
    if (
      isUnneeded(place.className, key, value) ||
      (key === 'backward_layer' && isMirrored(value, given.layer))
    )
      continue;
    const said = own(taken, camelCase(oldName(place.className, key)));
    if (said === undefined && UNTOLD.get(key)?.(value)) continue;
    if (key === 'zero_output_for_mask' && !place.isMasked) continue;
    if (COMPUTED_OTHERWISE.get(`${place.className}.${key}`)?.(value))
      throw unsupported(place.where, key, value);
    requireSame({ ...place, key }, value, said);
  }
}

function requireSame(place: Place & { readonly key: string }, value: unknown, said: unknown): void {
  const { where, key, rank } = place;
  if (Array.isArray(value) && Array.isArray(said) && value.some(isObject)) {
    for (const at of value.keys())
      requireSame({ ...place, where: `${where}, number ${at}` }, value[at], said[at]);
    return;
  }
  const inner = asKerasObject(value);
  if (inner !== undefined && isObject(said) && said.className === inner.class_name && isObject(said.config)) {
    const { class_name: className, config } = inner;
    compare({ ...place, where: `${where}, ${key} ${className}`, className }, config, said.config);
    return;
  }
  const fromFirst = (axis: unknown) => (typeof axis === 'number' && axis < 0 ? rank + axis : axis);
  const axes = (each: unknown) => (key === 'axis' ? [each].flat().map(fromFirst) : each);
  // Images come with their channels last, whatever a layer says.
  if (isSame(axes(value), axes(said)) && value !== 'channels_first') return;
  throw unsupported(where, key, value);
}

function unsupported(where: string, key: string, value: unknown): ModelError {
  return new ModelError(`${where}: ${key} ${quote(value)} is not supported, and not by TensorFlow.js either`);
}

/** Whether a second layer is the first one read backwards: TensorFlow.js makes it from the first. */
function isMirrored(second: unknown, first: unknown): boolean {
  const [one, other] = [asKerasObject(first), asKerasObject(second)];
  if (one === undefined || one.class_name !== other?.class_name) return false;
  const plain = ({ go_backwards: _, ...config }: Settings) =>
    JSON.stringify(Object.entries(config).filter(([key, value]) => !isUnneeded(one.class_name, key, value)));
  return plain(one.config) === plain(other.config) && one.config.go_backwards !== other.config.go_backwards;
}

/** Keras writes them and does not use them: they have a depthwise and a pointwise kernel. */
function withoutKernelSettings(settings: Settings): Settings {
  const { kernel_initializer: _i, kernel_regularizer: _r, kernel_constraint: _c, ...others } = settings;
  return others;
}

function oldName(className: string, key: string): string {
  return OLD_NAMES.get(className)?.get(key) ?? key;
}

/** Names and numbers are equal in both dialects but for the way to write them; one number stands for a list of it. */
function isSame(given: unknown, taken: unknown): boolean {
  if (typeof given === 'string' && typeof taken === 'string') return camelCase(given) === camelCase(taken);
  if (Array.isArray(given) || Array.isArray(taken)) {
    const [left, right] = [[given].flat(), [taken].flat()];
    const length = Math.max(left.length, right.length);
    return Array.from({ length }, (_, at) => at).every((at) =>
      isSame(left.length === 1 ? left[0] : left[at], right.length === 1 ? right[0] : right[at]),
    );
  }
  return given === taken;
}

/** A name of Python as TensorFlow.js writes it. */
export function camelCase(name: string): string {
  return name.replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function isObject(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null;
}
