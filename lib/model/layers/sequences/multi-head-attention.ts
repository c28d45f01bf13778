/** MultiHeadAttention: each step of a sequence is made of all steps of one, by how much they match (Vaswani et al. 2017, arXiv 1706.03762). */
import { mul } from '../../primitives/arithmetic.js';
import { softmax } from '../../primitives/elementwise.js';
import { multiply, multiplyRows } from '../../primitives/products.js';
import { reshape, transpose } from '../../primitives/shaping.js';
import { BATCH_AXIS, type Value } from '../../primitives/value.js';
import { dropoutMask, innerDropout } from '../dropout.js';
import type { LayerContext, LayerModule, LayerParameter } from '../layer-module.js';
import { fixed, flag, type LayerWith, parseSize, setting, size } from '../settings.js';
import { requireSequence } from './sequences.js';

const keyDim = size('key_dim');

const settings = {
  heads: size('num_heads'),
  keyDim,
  valueDim: setting<number>({ ...size('value_dim'), fallback: keyDim, parse: parseSize }),
  useBias: flag('use_bias'),
  /** Share of the steps that a step is not made of. */
  dropout: innerDropout('dropout'),
  outputShape: fixed('output_shape', null),
  attentionAxes: fixed('attention_axes', null, 1),
};

type AttentionLayer = LayerWith<'multiHeadAttention', typeof settings>;

/** A kernel and a bias of a product whose output or input is dealt to the heads. */
const projection = (
  { useBias }: AttentionLayer,
  {
    role,
    kernel,
    bias,
  }: { readonly role: string; readonly kernel: readonly number[]; readonly bias: readonly number[] },
): readonly LayerParameter[] => [
  { role: `${role}/kernel`, shape: kernel, initial: 'glorot-uniform' },
  ...(useBias ? [{ role: `${role}/bias`, shape: bias, initial: 'zeros' } as const] : []),
];

/** Called on `[t, features]`, and on the sequence of which it is made, `[s, …]`; the keys are made of that, too. */
export const multiHeadAttention: LayerModule<AttentionLayer> = {
  kind: 'multiHeadAttention',
  keras: [
    {
      names: ['MultiHeadAttention'],
      settings,
      withoutEffect: ['query_shape', 'key_shape', 'value_shape', 'flash_attention'],
    },
  ],
  inputCount: [2, 2],
  drawsNumbers: ({ dropout }) => dropout !== undefined,
  notTrainedByTensorflow: ({ dropout }) => (dropout === undefined ? undefined : 'masks that a seed repeats'),
  outputShape(layer, query, value = query) {
    for (const input of [query, value]) requireSequence(layer, input);
    return query;
  },
  parameters(layer, query, value = query) {
    const { heads, keyDim, valueDim } = layer;
    const features = (input: readonly number[]) => input.at(-1) as number;
    const dealt = (role: string, from: number, to: number) =>
      projection(layer, { role, kernel: [from, heads, to], bias: [heads, to] });
    const out = features(query);
    return [
      ...dealt('query', features(query), keyDim),
      ...dealt('key', features(value), keyDim),
      ...dealt('value', features(value), valueDim),
      ...projection(layer, { role: 'attention_output', kernel: [heads, valueDim, out], bias: [out] }),
    ];
  },
  forward(layer, [query, value = query], context) {
    const { heads, keyDim, valueDim } = layer;
    const inHeads = (x: Value, role: string, order: readonly number[]) => {
      const width = role === 'value' ? valueDim : keyDim;
      const rows = project(layer, x, { role, width: heads * width, context });
      return transpose(reshape(rows, [...x.shape.slice(0, -1), heads, width]), order);
    };
    const [q, k] = [inHeads(query, 'query', [0, 2, 1, 3]), inHeads(value, 'key', [0, 2, 3, 1])];
    const matches = softmax(multiply(mul(q, 1 / Math.sqrt(keyDim)), k));
    const isDropped = context.training && layer.dropout !== undefined;
    const weights = isDropped ? mul(matches, dropoutMask(layer.dropout, { context, x: matches })) : matches;
    const made = transpose(multiply(weights, inHeads(value, 'value', [0, 2, 1, 3])), [0, 2, 1, 3]);
    const [, steps = 0, features = 0] = query.shape;
    const rows = reshape(made, [BATCH_AXIS, steps, heads * valueDim]);
    return project(layer, rows, { role: 'attention_output', width: features, context });
  },
};

/** x · kernel + bias, whose axes of heads are one with those beside them. */
function project(
  { useBias }: AttentionLayer,
  x: Value,
  { role, width, context }: { readonly role: string; readonly width: number; readonly context: LayerContext },
): Value {
  const kernel = reshape(context.parameter(`${role}/kernel`), [x.shape.at(-1) as number, width]);
  const bias = useBias ? reshape(context.parameter(`${role}/bias`), [width]) : undefined;
  return multiplyRows(x, kernel, bias);
}
