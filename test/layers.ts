/** Small layers and models that tests put together. */
import type { Extent, Padding } from '../lib/model/graph/window-geometry.js';
import type { ActivationName } from '../lib/model/layers/activation.js';
import type { Layer } from '../lib/model/layers/registry.js';
import { type ModelDescription, sequential } from '../lib/model/model-description.js';

/** Classes of the models below. */
export const CLASSES = 4;

/** A 3×3 convolution of 3 filters, or as given. */
export const conv = (name: string, given: Partial<Extract<Layer, { kind: 'conv2d' }>> = {}): Layer => ({
  kind: 'conv2d',
  name,
  filters: 3,
  kernel: [3, 3],
  strides: [1, 1],
  padding: 'valid',
  useBias: true,
  activation: 'linear',
  ...given,
});
/** A pool layer. */
export const pool = (
  kind: 'maxPooling2d' | 'averagePooling2d',
  size: Extent,
  strides: Extent,
  padding: Padding,
): Layer => ({
  kind,
  name: 'pool',
  pool: size,
  strides,
  padding,
});
/** A dense layer. */
export const dense = (
  name: string,
  units: number,
  activation: ActivationName = 'linear',
  useBias = true,
): Layer => ({
  kind: 'dense',
  name,
  units,
  useBias,
  activation,
});
/** A flatten. */
export const flatten: Layer = { kind: 'flatten', name: 'flatten' };
/** The end of an image model. */
export const head: readonly Layer[] = [flatten, dense('head', CLASSES, 'softmax')];
/** An activation as a layer. */
export const activation = (name: string, kind: ActivationName): Layer => ({
  kind: 'activation',
  name,
  activation: kind,
});
/** A batch normalisation. */
export const normalisation = (
  name: string,
  given: Partial<Extract<Layer, { kind: 'batchNormalization' }>> = {},
): Layer => ({
  kind: 'batchNormalization',
  name,
  axis: -1,
  momentum: 0.9,
  epsilon: 1e-3,
  center: true,
  scale: true,
  ...given,
});

/** A model of images, 9×8 with 2 channels unless given. */
export const imageModel = (
  layers: readonly Layer[],
  inputShape: readonly number[] = [9, 8, 2],
): ModelDescription => sequential({ name: 'test', inputShape, layers });
