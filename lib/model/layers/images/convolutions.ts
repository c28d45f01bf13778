/** The settings that convolutions have in common. */

import { ModelError } from '../../../core/errors.js';
import type { Extent } from '../../graph/window-geometry.js';
import type { NamedLayer } from '../layer-module.js';
import { extent, flag, type LayerSetting, padding, size, sizeOrOne, unlessDefault } from '../settings.js';

const [kernelSize, rows, columns] = [extent(['kernel_size']), size('nb_row'), size('nb_col')];

/** Height and width of a kernel. */
const kernel: LayerSetting<Extent> = {
  ...kernelSize,
  keys: [...kernelSize.keys, ...rows.keys, ...columns.keys],
  // Keras 1 had a number for each side.
  read: (settings) =>
    settings.has('nb_row') ? [rows.read(settings), columns.read(settings)] : kernelSize.read(settings),
};

/** Of each convolution: where its kernel lies. */
export const windowSettings = { kernel, strides: extent(['strides', 'subsample'], [1, 1]), padding };

/** Pixels from one place of the kernel to the next. */
export const dilation = unlessDefault(extent(['dilation_rate'], [1, 1]), [1, 1]);

/** Filters of each channel. */
export const depthMultiplier = sizeOrOne('depth_multiplier');

/** Whether there is a bias. */
export const useBias = flag('use_bias', 'bias');

/** The settings that say what a kernel is laid over. */
interface Strided extends NamedLayer {
  readonly strides: Extent;
  readonly dilation?: Extent;
}

/** TensorFlow has no such convolution. @throws {ModelError} for strides and a dilation, both above 1 */
export function requireOneStep({ name, strides, dilation = [1, 1] }: Strided): void {
  if (Math.max(...strides) === 1 || Math.max(...dilation) === 1) return;
  throw new ModelError(
    `layer ${name}: strides ${strides.join('×')} and dilation_rate ${dilation.join('×')} are not possible together`,
  );
}
