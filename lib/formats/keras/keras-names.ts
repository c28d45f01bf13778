/** Which layer a Keras weight belongs to and what it is called, the same for every Keras version. */
import { own } from '../../core/own.js';

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
