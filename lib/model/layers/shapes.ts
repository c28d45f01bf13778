/** What several layers have in common: kernels, and windows that move over images. */
import { formatShape } from '../../core/weights.js';
import { type Extent, type WindowSettings, windowGeometry } from '../graph/window-geometry.js';
import { ModelError } from '../model-error.js';
import type { LayerParameter, NamedLayer } from './layer-module.js';
import { extent, fixed, imageOrder, type LayerWith, padding } from './settings.js';

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

/** The settings of a pool over whole images. */
export const globalPoolSettings = { ...imageOrder, keepDims: fixed('keepdims', false, null) };

/** `[h, w, c]` to `[c]`. @throws {ModelError} for no image */
export function globallyPooledShape(layer: NamedLayer, input: readonly number[]): readonly number[] {
  requireImage(layer, input);
  return input.slice(2);
}

const pool = extent(['pool_size'], [2, 2]);

/** The settings of a pool. */
export const poolSettings = { pool, strides: extent(['strides'], pool), padding, ...imageOrder };

/** A pool of whatever kind. */
export type Pool2dLayer<Kind extends string = string> = LayerWith<Kind, typeof poolSettings>;

/** `[h, w, c]` of what comes out. @throws {ModelError} for no image, or a window that does not fit */
export function pooledShape(layer: Pool2dLayer, input: readonly number[]): readonly number[] {
  return [...slidingShape(layer, { input, window: layer.pool }), input[2] as number];
}
