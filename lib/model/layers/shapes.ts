/** What the shapes and parameters of several layers have in common. */
import { formatShape } from '../../core/weights.js';
import { type Extent, type WindowSettings, windowGeometry } from '../graph/window-geometry.js';
import { ModelError } from '../model-error.js';
import type { LayerParameter, NamedLayer } from './layer-module.js';

/** Channels of an image, or features. */
export const channelsOf = (input: readonly number[]): number => input.at(-1) ?? 0;

/** A kernel `[…window, in, out]`, and a bias `[out]` where the layer has one. */
export function kernelAndBias(
  { useBias }: { readonly useBias: boolean },
  kernel: readonly number[],
): readonly LayerParameter[] {
  const parameters: readonly LayerParameter[] = [
    { role: 'kernel', shape: kernel, initial: 'glorot-uniform' },
  ];
  return useBias ? [...parameters, { role: 'bias', shape: kernel.slice(-1), initial: 'zeros' }] : parameters;
}

/** How often a window fits into an image, down and across. @throws {ModelError} where it does not fit at all */
export function slidingShape(
  layer: NamedLayer & Omit<WindowSettings, 'window'>,
  { input, window }: { readonly input: readonly number[]; readonly window: Extent },
): Extent {
  requireImage(layer, input);
  const [height = 0, width = 0] = input;
  const { strides, padding } = layer;
  const { output } = windowGeometry([height, width], { strides, padding, window });
  if (output[0] < 1 || output[1] < 1) {
    throw new ModelError(
      `layer ${layer.name}: a window of ${window.join('×')} does not fit into ${height}×${width} pixels`,
    );
  }
  return output;
}

/** @throws {ModelError} where the input is no image */
export function requireImage({ name }: NamedLayer, input: readonly number[]): void {
  if (input.length !== 3) {
    throw new ModelError(`layer ${name}: takes images [h,w,c], its input is ${formatShape(input)}`);
  }
}
