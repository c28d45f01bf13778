/** How new weights begin, and the numbers that are drawn for them. */
import type { RandomStream } from '../core/random.js';
import { sizeOf } from '../core/weights.js';

/** How an array begins. */
export type Initializer =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'uniform'; readonly from: number; readonly to: number }
  | {
      readonly kind: 'normal';
      readonly mean: number;
      readonly deviation: number;
      /** Nothing further than two deviations from the mean. */
      readonly isTruncated: boolean;
    }
  /** By the number of inputs, outputs, or the mean of both, as Glorot, He and LeCun scale. */
  | {
      readonly kind: 'scaled';
      readonly scale: number;
      readonly fan: 'in' | 'out' | 'average';
      readonly draw: 'uniform' | 'normal' | 'truncated';
    };

/** How far a normal distribution that is cut off at two deviations keeps its own. */
const TRUNCATED_DEVIATION = 0.879_625_661_034_239_8;

/** Draws an array of a shape `[…window, in, out]`. */
export function draw(
  initializer: Initializer,
  shape: readonly number[],
  random: RandomStream,
): Float32Array<ArrayBuffer> {
  const values = new Float32Array(sizeOf(shape));
  switch (initializer.kind) {
    case 'constant':
      return values.fill(initializer.value);
    case 'uniform': {
      const { from, to } = initializer;
      return values.map(() => from + random.uniform() * (to - from));
    }
    case 'normal': {
      const { mean, deviation, isTruncated } = initializer;
      const next = () => {
        let drawn = random.normal();
        while (isTruncated && Math.abs(drawn) > 2) drawn = random.normal();
        return drawn;
      };
      return values.map(() => mean + deviation * next());
    }
    case 'scaled': {
      const { scale, fan, draw: how } = initializer;
      const [fanIn, fanOut] = fans(shape);
      const count = { in: fanIn, out: fanOut, average: (fanIn + fanOut) / 2 }[fan];
      const variance = scale / Math.max(1, count);
      if (how === 'uniform') {
        const limit = Math.sqrt(3 * variance);
        return draw({ kind: 'uniform', from: -limit, to: limit }, shape, random);
      }
      const isTruncated = how === 'truncated';
      const deviation = Math.sqrt(variance) / (isTruncated ? TRUNCATED_DEVIATION : 1);
      return draw({ kind: 'normal', mean: 0, deviation, isTruncated }, shape, random);
    }
  }
}

/** Number of inputs and outputs that a kernel `[…window, in, out]` connects. */
export function fans(shape: readonly number[]): readonly [fanIn: number, fanOut: number] {
  if (shape.length === 1) return [shape[0] ?? 1, shape[0] ?? 1];
  const window = sizeOf(shape.slice(0, -2));
  return [window * (shape.at(-2) ?? 1), window * (shape.at(-1) ?? 1)];
}
