/** Checks a layer's arrays against its settings, for the layers whose arrays Keras never changed. */
import { DataError } from '../../core/errors.js';
import { formatShape } from '../../core/weights.js';
import type { ArrayOutline } from '../../federation/client-update.js';
import type { LayerConfig } from './keras-file.js';

/** An extent that only the layer's input decides. */
const ANY = -1;

/**
 * Checks number and shapes of the arrays of a Dense, Conv2D or BatchNormalization layer; others pass.
 *
 * @throws {DataError} naming the array, the shape that the architecture asks for, and the one in the file.
 */
export function checkArrays(layer: LayerConfig, arrays: readonly ArrayOutline[], file: string): void {
  const expected = expectedShapes(layer);
  if (expected === null) return;
  if (arrays.length !== expected.length) {
    throw new DataError({
      file,
      expected: `${expected.length} arrays of layer "${layer.name}" (${layer.className})`,
      found: `${arrays.length}`,
    });
  }
  arrays.forEach(({ name, shape }, index) => {
    const want = expected[index] as readonly number[];
    const fits =
      shape.length === want.length && want.every((size, axis) => size === ANY || size === shape[axis]);
    if (fits) return;
    throw new DataError({
      file,
      expected: `${name} of shape ${formatShape(want).replaceAll(String(ANY), '?')} as model_config says`,
      found: `shape ${formatShape(shape)}`,
    });
  });
}

/** Shapes in Keras' order, or null where they are not known or the settings are not the usual numbers. */
function expectedShapes({ className, settings }: LayerConfig): readonly (readonly number[])[] | null {
  // Keras 1 called them output_dim, nb_filter, bias.
  const outputs = settings.units ?? settings.output_dim ?? settings.filters ?? settings.nb_filter;
  const bias = (settings.use_bias ?? settings.bias ?? true) ? [[Number(outputs)]] : [];
  if (className === 'Dense' && isExtent(outputs)) return [[ANY, outputs], ...bias];
  if (className === 'Conv2D' || className === 'Convolution2D') {
    const size = settings.kernel_size ?? [settings.nb_row, settings.nb_col];
    const [height, width] = Array.isArray(size) ? (size as unknown[]) : [size, size];
    // Keras 1 stored kernels for channels-first images in another order; grouped ones see a part of the channels.
    if (settings.dim_ordering === 'th' || !isExtent(outputs) || !isExtent(height) || !isExtent(width))
      return null;
    return [[height, width, ANY, outputs], ...bias];
  }
  // With renorm there are statistics of other kinds, which nothing here reads.
  if (className !== 'BatchNormalization' || settings.renorm === true) return null;
  const { scale = true, center = true } = settings;
  return Array.from({ length: 2 + Number(scale === true) + Number(center === true) }, () => [ANY]);
}

function isExtent(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}
