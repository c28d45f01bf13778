/** How values lie: the order of the axes of a tensor, and the way from one layout to another. */
import type { GraphBuilder, Tensor } from '../graph/graph-builder.js';
import type { Layout, Value } from './value.js';

/** The axes of a shape in Keras' order, in that of a layout. */
const order = (rank: number, layout: Layout | undefined): readonly number[] => {
  const inside = Array.from({ length: Math.max(0, rank - 2) }, (_, at) => at + 1);
  if (layout === undefined || rank < 3) return Array.from({ length: rank }, (_, at) => at);
  return [0, rank - 1, ...inside];
};

/** The extents of a value's tensor, in the order in which they are declared. */
export const extentsOf = ({ shape, layout }: Pick<Value, 'shape' | 'layout'>): readonly number[] =>
  order(shape.length, layout).map((axis) => shape[axis] as number);

/** Where each axis of a value, counted in Keras' order, is declared in its tensor. */
export function axesOf({ shape, layout }: Pick<Value, 'shape' | 'layout'>): readonly number[] {
  const axes = order(shape.length, layout);
  return axes.map((_, axis) => axes.indexOf(axis));
}

/** A shape in Keras' order, from the extents of a tensor. */
export const shapeFrom = (extents: readonly number[], layout: Layout | undefined): readonly number[] =>
  axesOf({ shape: extents, layout }).map((axis) => extents[axis] as number);

/** What a value was laid out as; it is done once, however often it is asked for. */
const LAID_OUT = new WeakMap<Value, Map<Layout | undefined, Value>>();

/** A value whose tensor lies as it is wanted; Keras' order by default. Blocks want channels that fill them. */
export function laidOut(value: Value, layout?: Layout): Value {
  if (value.layout === layout) return value;
  const known = LAID_OUT.get(value) ?? new Map<Layout | undefined, Value>();
  LAID_OUT.set(value, known);
  const { graph, tensor, shape, layout: from } = value;
  const found = known.get(layout) ?? {
    graph,
    tensor: rearrange(graph, tensor, { shape, from, to: layout }),
    shape,
    layout,
    origin: {
      inputs: [value],
      vjps: [(dy: Tensor) => rearrange(graph, dy, { shape, from: layout, to: from })],
    },
  };
  known.set(layout, found);
  return found;
}

/** A value whose tensor has its elements in the order of its axes, whichever that is. */
export const unblocked = (value: Value): Value =>
  value.layout === 'blocked' ? laidOut(value, 'channels-first') : value;

interface Rearrangement {
  readonly shape: readonly number[];
  readonly from: Layout | undefined;
  readonly to: Layout | undefined;
}

function rearrange(graph: GraphBuilder, tensor: Tensor, { shape, from, to }: Rearrangement): Tensor {
  const channels = shape.at(-1) as number;
  if (from === 'blocked')
    return graph.blockedOp('ReorderOutput', [tensor], {
      channels,
      ...(to === undefined ? { channels_last: 1 } : {}),
    });
  if (to === 'blocked')
    return graph.blockedOp('ReorderInput', [tensor], from === undefined ? { channels_last: 1 } : {});
  if (shape.length < 3) return tensor;
  // With one channel or one pixel the elements stay where they are.
  if (channels === 1 || shape.slice(1, -1).every((extent) => extent === 1))
    return graph.reshape(tensor, ...extentsOf({ shape, layout: to }));
  const axes = axesOf({ shape, layout: from });
  return graph.transpose(tensor, ...order(shape.length, to).map((axis) => axes[axis] as number));
}

/** The tensor of a value with its channels first, `[n, c, h, w]`, as a value of that shape. */
export function channelsFirst(value: Value): Value {
  const first = laidOut(value, 'channels-first');
  const { graph, tensor } = first;
  return { graph, tensor, shape: extentsOf(first), origin: { inputs: [first], vjps: [(dy) => dy] } };
}

/** A value of shape `[n, c, h, w]` as one whose channels lie first. */
export function fromChannelsFirst(value: Value): Value {
  const { graph, tensor } = value;
  const shape = shapeFrom(value.shape, 'channels-first');
  return { graph, tensor, shape, layout: 'channels-first', origin: { inputs: [value], vjps: [(dy) => dy] } };
}
