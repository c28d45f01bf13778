/** GaussianNoise, GaussianDropout and AlphaDropout: noise of our own while training, from a seed for each example of a step. */
import { MIX_1 } from '../graph/dropout-mask.js';
import { add, mul } from '../primitives/arithmetic.js';
import { laidOut } from '../primitives/layout.js';
import type { Value } from '../primitives/value.js';
import { type Drawing, drawWords, dropoutMask, dropoutSettings } from './dropout.js';
import type { LayerModule } from './layer-module.js';
import { type LayerWith, numberWithin } from './settings.js';

const noiseSettings = {
  /** Standard deviation of the noise. */
  deviation: numberWithin({
    keys: ['stddev', 'sigma'],
    expected: 'a number of at least 0',
    isIn: (deviation) => deviation >= 0,
  }),
};

/** Of all of them: Keras' own numbers cannot be had, whatever the file's seed says. */
const random = {
  outputShape: (_layer: object, input: readonly number[]) => input,
  drawsNumbers: () => true,
  notTrainedByTensorflow: () => 'noise that a seed repeats',
};

/** x + noise of mean 0 */
export const gaussianNoise: LayerModule<LayerWith<'gaussianNoise', typeof noiseSettings>> = {
  ...random,
  kind: 'gaussianNoise',
  keras: [{ names: ['GaussianNoise'], settings: noiseSettings, withoutEffect: ['seed'] }],
  forward({ deviation }, [input], context) {
    if (!context.training || deviation === 0) return input;
    const x = laidOut(input);
    return add(x, mul(normalNumbers({ context, x }), deviation));
  },
};

/** x · noise of mean 1 and variance rate / (1 - rate) (Srivastava et al. 2014, §10). */
export const gaussianDropout: LayerModule<LayerWith<'gaussianDropout', typeof dropoutSettings>> = {
  ...random,
  kind: 'gaussianDropout',
  keras: [{ names: ['GaussianDropout'], settings: dropoutSettings, withoutEffect: ['seed'] }],
  forward({ rate }, [input], context) {
    if (!context.training || rate === 0) return input;
    const x = laidOut(input);
    const noise = mul(normalNumbers({ context, x }), Math.sqrt(rate / (1 - rate)));
    return mul(x, add(noise, 1));
  },
};

/** What selu is at minus infinity. */
const ALPHA = -1.7580993408473766;

/** Dropout that keeps mean 0 and variance 1: what is dropped becomes α (Klambauer et al. 2017, arXiv 1706.02515). */
export const alphaDropout: LayerModule<LayerWith<'alphaDropout', typeof dropoutSettings>> = {
  ...random,
  kind: 'alphaDropout',
  keras: [
    {
      names: ['AlphaDropout'],
      settings: dropoutSettings,
      withoutEffect: ['seed'],
      forTrainingOnly: ['noise_shape'],
    },
  ],
  forward({ rate }, [input], context) {
    if (!context.training || rate === 0) return input;
    const x = laidOut(input);
    // 1 for what is kept, 0 for what is not.
    const kept = mul(dropoutMask(rate, { context, x }), 1 - rate);
    const scale = 1 / Math.sqrt((1 - rate) * (1 + rate * ALPHA ** 2));
    const dropped = add(mul(kept, -ALPHA), ALPHA);
    return add(mul(add(mul(x, kept), dropped), scale), -scale * ALPHA * rate);
  },
};

/** Bits of a word that are a fraction in float32 exactly. */
const FRACTION = 24;

/** A number of the normal distribution for each element: two words make one (Box and Muller 1958). */
function normalNumbers(drawing: Drawing): Value {
  const { graph, shape } = drawing.x;
  const word = (value: number) => graph.constant(Uint32Array.of(value), [1]);
  const shifted = (words: string, bits: number) =>
    graph.op('BitShift', [words, word(bits)], { direction: 'RIGHT' });
  const fraction = (words: string) =>
    graph.op('Mul', [
      graph.op('Cast', [shifted(words, 32 - FRACTION)], { to: 1 }),
      graph.scalar(2 ** -FRACTION),
    ]);
  const first = drawWords(drawing);
  const second = graph.op('Mul', [graph.op('BitwiseXor', [first, shifted(first, 16)]), word(MIX_1)]);
  // Above 0, for its logarithm.
  const radius = graph.op('Add', [fraction(first), graph.scalar(2 ** -(FRACTION + 1))]);
  const length = graph.op('Sqrt', [graph.op('Mul', [graph.op('Log', [radius]), graph.scalar(-2)])]);
  const angle = graph.op('Cos', [graph.op('Mul', [fraction(second), graph.scalar(2 * Math.PI)])]);
  const numbers = graph.op('Mul', [length, angle]);
  return { graph, tensor: graph.reshape(numbers, ...shape), shape };
}
