/** What layers on sequences have in common: their inputs, and sequences as images of one row. */

import { ModelError } from '../../../core/errors.js';
import { formatShape } from '../../../core/weights.js';
import { reshape } from '../../primitives/shaping.js';
import { BATCH_AXIS, type Value } from '../../primitives/value.js';
import type { NamedLayer } from '../layer-module.js';
import { isNaturalNumber, type LayerSetting, pairOf, parseSize, setting } from '../settings.js';

/** @throws {ModelError} where the input is no sequence */
export function requireSequence({ name }: NamedLayer, input: readonly number[]): void {
  if (input.length !== 2)
    throw new ModelError(`layer ${name}: takes sequences [t,features], its input is ${formatShape(input)}`);
}

/** Elements along a sequence: a number, or a list of one. */
export const extent1d = (
  keys: readonly string[],
  fallback?: number | LayerSetting<number>,
): LayerSetting<number> =>
  setting({
    keys,
    expected: 'a whole number of at least 1',
    ...(fallback === undefined ? {} : { fallback }),
    parse(value) {
      const [extent, ...others] = [value].flat();
      return others.length === 0 ? parseSize(extent) : undefined;
    },
  });

/** Elements before and after a sequence; one number stands for both. */
export const margins1d = (key: string, fallback: number): LayerSetting<readonly [number, number]> =>
  setting<readonly [number, number]>({
    keys: [key],
    expected: 'one or two whole numbers of at least 0',
    fallback: [fallback, fallback],
    parse: pairOf(isNaturalNumber),
  });

/** `[n, t, c]` as images of one row, `[n, 1, t, c]`: what there is for images serves sequences, too. */
export const asRow = (x: Value): Value => reshape(x, [BATCH_AXIS, 1, ...x.shape.slice(1)]);

/** The sequences of images of one row. */
export const fromRow = (x: Value): Value => reshape(x, [BATCH_AXIS, ...x.shape.slice(2)]);
