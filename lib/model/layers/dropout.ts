/** Dropout with masks of our own: a hash of a seed for each example of a step, the same on every engine. */
import type * as Tf from '@tensorflow/tfjs';
import { sizeOf } from '../../core/weights.js';
import { keepBelow, MIX_1, MIX_2, maskMaker, positionWords } from '../graph/dropout-mask.js';
import type { Tensor } from '../graph/graph-builder.js';
import { mul } from '../primitives/arithmetic.js';
import { channelsFirst, fromChannelsFirst, laidOut } from '../primitives/layout.js';
import type { Value } from '../primitives/value.js';
import type { LayerContext, LayerModule } from './layer-module.js';
import { type LayerSetting, type LayerWith, numberWithin, unlessDefault } from './settings.js';

/** What a share of elements may be that are dropped. */
const share = {
  expected: 'a share of at least 0 and below 1',
  isIn: (rate: number) => rate >= 0 && rate < 1,
};

/** Of every dropout. */
export const dropoutSettings = {
  /** Share of inputs set to 0. */
  rate: numberWithin({ keys: ['rate', 'p'], ...share }),
};

/** A dropout inside of another layer, which it has only where the share is above 0. */
export const innerDropout = (...keys: readonly string[]): LayerSetting<number | undefined> =>
  unlessDefault(numberWithin({ keys, fallback: 0, ...share }), 0);

/**
 * Inverted dropout: while training, a share of the inputs is set to 0, and those kept are scaled by 1/(1 - rate). ONNX
 * Runtime's own Dropout is not used: with two of them in a graph its masks correlate over steps and training is biased.
 * A hash of (row seed, position) is the same on every backend and with any number of threads. Keras' own masks cannot be
 * had, whatever the file's seed says.
 */
export const dropout: LayerModule<LayerWith<'dropout', typeof dropoutSettings>> = {
  kind: 'dropout',
  keras: [
    {
      names: ['Dropout'],
      settings: dropoutSettings,
      withoutEffect: ['seed'],
      forTrainingOnly: ['noise_shape'],
    },
  ],
  outputShape: (_layer, input) => input,
  maskBehind: () => 'kept',
  drawsNumbers: () => true,
  forward(layer, [input], context) {
    if (!context.training || layer.rate === 0) return input;
    // Masks count the positions of an image channels first.
    const isImage = input.shape.length === 4;
    const x = isImage ? channelsFirst(input) : laidOut(input);
    const mask = dropoutMask(layer.rate, { context, x });
    return isImage ? fromChannelsFirst(mul(x, mask)) : mul(x, mask);
  },
  merge: (earlier, later) => ({ ...later, rate: 1 - (1 - earlier.rate) * (1 - later.rate) }),
  // Its own masks cannot be repeated from a seed of each step.
  correctTensorflow(_layer, { planned, salt, rowSeeds, ...place }) {
    const [tf, built] = [place.tf as typeof Tf, place.built as Tf.layers.Layer];
    const rate = planned?.rate ?? 0;
    let makeMask: ((seeds: Uint32Array) => Float32Array) | undefined;
    built.call = (inputs, { training }) => {
      const input = (Array.isArray(inputs) ? inputs[0] : inputs) as Tf.Tensor;
      if (training !== true || rate === 0) return input;
      makeMask ??= maskMaker({ rate, salt, shape: input.shape.slice(1) });
      return input.mul(tf.tensor(makeMask(rowSeeds()), input.shape));
    };
  },
};

/** For another mask of the same layer: its numbers are apart from those of every other place and layer. */
export const withOtherNumbers = (context: LayerContext, place: number): LayerContext => ({
  ...context,
  salt: context.salt + (place << 12),
});

/** Where numbers are drawn, and for what. */
export interface Drawing {
  readonly context: LayerContext;
  readonly x: Pick<Value, 'graph' | 'shape'>;
}

/** 0 with probability `rate`, else 1 / (1 - rate), for each element. */
export function dropoutMask(rate: number, drawing: Drawing): Value {
  const { graph, shape } = drawing.x;
  // The product's high bits are its well-mixed ones, and they decide the comparison.
  const below = graph.constant(Uint32Array.of(keepBelow(rate)), [1]);
  const kept = graph.op('Less', [drawWords(drawing), below]);
  const mask = graph.op('Where', [kept, graph.scalar(1 / (1 - rate)), graph.scalar(0)]);
  return { graph, tensor: shape.length === 2 ? mask : graph.reshape(mask, ...shape), shape };
}

/** A random word for each element, `[n, size]` uint32; its high bits are well mixed. */
export function drawWords({ context, x }: Drawing): Tensor {
  const { rowSeeds, salt } = context;
  const { graph, shape } = x;
  const size = sizeOf(shape.slice(1));
  const word = (value: number) => graph.constant(Uint32Array.of(value >>> 0), [1]);
  const positions = positionWords(salt, size);
  const rows = graph.reshape(rowSeeds(), -1, 1);
  let hash = graph.op('BitwiseXor', [rows, graph.constant(positions, [1, size])]);
  hash = graph.op('Mul', [hash, word(MIX_1)]);
  hash = graph.op('BitwiseXor', [hash, graph.op('BitShift', [hash, word(15)], { direction: 'RIGHT' })]);
  return graph.op('Mul', [hash, word(MIX_2)]);
}
