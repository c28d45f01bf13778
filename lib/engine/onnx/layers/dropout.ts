/** Dropout with masks of our own, computed in the graph. */
import { sizeOf } from '../../../core/weights.js';
import type { DropoutLayer } from '../../../model/model-description.js';
import { keepBelow, MIX_1, MIX_2, positionWords } from '../../dropout-mask.js';
import type { Tensor } from '../graph-builder.js';
import type { AppliedLayer, LayerContext, LayerValue } from '../layer-graph.js';

/**
 * Sets a share of the inputs to 0 and scales the others, while training. ONNX Runtime's own Dropout is not used: with
 * two of them in a graph its masks correlate over steps and training is biased. A hash of (row seed, position) is
 * the same on every backend and with any number of threads.
 */
export function applyDropout(layer: DropoutLayer, input: LayerValue, context: LayerContext): AppliedLayer {
  const { graph, training } = context;
  if (!training || layer.rate === 0) return { output: input, backward: (dy) => dy };
  const mask = dropoutMask(layer.rate, { context, size: sizeOf(input.shape) });
  const shaped = input.shape.length === 1 ? mask : graph.reshape(mask, -1, ...input.shape);
  return {
    output: { tensor: graph.op('Mul', [input.tensor, shaped]), shape: input.shape },
    backward: (dy) => graph.op('Mul', [dy, shaped]),
  };
}

/** `[n, size]`: 0 with probability `rate`, else 1 / (1 - rate). */
function dropoutMask(
  rate: number,
  { context, size }: { readonly context: LayerContext; readonly size: number },
): Tensor {
  const { graph, salt } = context;
  const word = (value: number) => graph.constant(Uint32Array.of(value >>> 0), [1]);
  const positions = positionWords(salt, size);
  const rows = graph.reshape(context.rowSeeds(), -1, 1);
  let hash = graph.op('BitwiseXor', [rows, graph.constant(positions, [1, size])]);
  hash = graph.op('Mul', [hash, word(MIX_1)]);
  hash = graph.op('BitwiseXor', [hash, graph.op('BitShift', [hash, word(15)], { direction: 'RIGHT' })]);
  hash = graph.op('Mul', [hash, word(MIX_2)]);
  // The product's high bits are its well-mixed ones, and they decide the comparison.
  const kept = graph.op('Less', [hash, word(keepBelow(rate))]);
  return graph.op('Where', [kept, graph.scalar(1 / (1 - rate)), graph.scalar(0)]);
}
