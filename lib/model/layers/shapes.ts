/** What several layers have in common: kernels, and windows that move over images. */

import { ModelError } from '../../core/errors.js';
import { formatShape } from '../../core/weights.js';
import { type Extent, type WindowSettings, windowGeometry } from '../graph/window-geometry.js';
import type { LayerParameter, NamedLayer } from './layer-module.js';

/** Channels of an image, or features. */
export const channelsOf = (input: readonly number[]): number => input.at(-1) ?? 0;

/** A kernel `[…window, in, out]`, and a bias `[out]` where the layer has one. */
export const kernelAndBias = (layer: Biased, kernel: readonly number[]): readonly LayerParameter[] => [
  glorotKernel('kernel', kernel),
  ...biasOf(layer, kernel.at(-1) ?? 0),
];

interface Biased {
  readonly useBias: boolean;
}

/** A kernel `[…window, in, out]` as Glorot's begin. */
export const glorotKernel = (role: string, shape: readonly number[]): LayerParameter => ({
  role,
  shape,
  initial: 'glorot-uniform',
});

/** The bias of as many outputs, where the layer has one. */
export const biasOf = ({ useBias }: Biased, outputs: number): readonly LayerParameter[] =>
  useBias ? [{ role: 'bias', shape: [outputs], initial: 'zeros' }] : [];

/** How often a window fits into an image, down and across. @throws {ModelError} where it does not fit at all */
export function slidingShape(
  layer: NamedLayer & Omit<WindowSettings, 'window'>,
  { input, window }: { readonly input: readonly number[]; readonly window: Extent },
): Extent {
  requireImage(layer, input);
  const [height = 0, width = 0] = input;
  const { output } = windowGeometry([height, width], { ...layer, window });
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
