/** What max and average pools have in common: a window that moves over an image. */
import type { LayerValue } from '../graph/layer-graph.js';
import { onnxPads, windowGeometry } from '../graph/window-geometry.js';
import { extent, imageOrder, type LayerWith, padding } from './settings.js';
import { slidingShape } from './shapes.js';

const pool = extent(['pool_size'], [2, 2]);

/** The settings of a pool. */
export const poolSettings = { pool, strides: extent(['strides'], pool), padding, ...imageOrder };

/** A pool of whatever kind. */
export type Pool2dLayer<Kind extends string = string> = LayerWith<Kind, typeof poolSettings>;

/** `[h, w, c]` of what comes out. @throws {ModelError} for no image, or a window that does not fit */
export function pooledShape(layer: Pool2dLayer, input: readonly number[]): readonly number[] {
  return [...slidingShape(layer, { input, window: layer.pool }), input[2] as number];
}

/** Where the windows lie, as attributes of a node too, and the shape `[c, h, w]` of what comes out. */
export function poolGeometry(layer: Pool2dLayer, input: LayerValue) {
  const [channels = 0, height = 0, width = 0] = input.shape;
  const geometry = windowGeometry([height, width], { ...layer, window: layer.pool });
  return {
    geometry,
    window: { kernel_shape: layer.pool, strides: layer.strides, pads: onnxPads(geometry) },
    output: [channels, ...geometry.output],
  };
}
