/** Primitive operators on two values whose shapes are broadcast, as numpy does: nodes and vector-Jacobian products. */
import { formatShape } from '../../core/weights.js';
import type { GraphBuilder, Tensor } from '../graph/graph-builder.js';
import { extentsOf, laidOut, shapeFrom } from './layout.js';
import { reshape } from './shaping.js';
import type { Value } from './value.js';

/** A number stands for a constant. */
type Operand = Value | number;

/** What a vector-Jacobian product may use: both inputs, the output, and the gradient at the output. */
interface Around {
  readonly graph: GraphBuilder;
  readonly a: Tensor;
  readonly b: Tensor;
  readonly y: Tensor;
  readonly dy: Tensor;
}

type BroadcastVjp = (around: Around) => Tensor;

/** An operator whose products come back in the output's shape; each is summed down to its input's. */
function broadcasting(type: string, ofA: BroadcastVjp, ofB: BroadcastVjp) {
  return (first: Operand, second: Operand): Value => {
    const graph = graphOf(first, second);
    const inputs = alike(asValue(graph, first), asValue(graph, second));
    const [a, b] = [inputs[0].tensor, inputs[1].tensor];
    const layout = inputs[0].layout ?? inputs[1].layout;
    const from = broadcastShape(extentsOf(inputs[0]), extentsOf(inputs[1]));
    const y = graph.op(type, [a, b]);
    const vjps = [ofA, ofB].map((vjp, at) => (dy: Tensor) => {
      const tensor = vjp({ graph, a, b, y, dy });
      return sumTo(graph, { tensor, from, to: extentsOf(inputs[at] as Value) });
    });
    return { graph, tensor: y, shape: shapeFrom(from, layout), layout, origin: { inputs, vjps } };
  };
}

/** Two values as they can be computed with: both lie alike, unless one is the same for all elements of the other. */
function alike(a: Value, b: Value): readonly [Value, Value] {
  const isSame = a.layout === b.layout && formatShape(a.shape) === formatShape(b.shape);
  if (isSame || a.shape.length === 0 || b.shape.length === 0) return [a, b];
  if (a.layout === undefined && b.layout === undefined) return [a, b];
  const rank = Math.max(a.shape.length, b.shape.length);
  const first = (value: Value) => {
    const { shape } = value;
    const missing = Array.from({ length: rank - shape.length }, () => 1);
    return laidOut(missing.length === 0 ? value : reshape(value, [...missing, ...shape]), 'channels-first');
  };
  return [first(a), first(b)];
}

/** a + b */
export const add = broadcasting(
  'Add',
  ({ dy }) => dy,
  ({ dy }) => dy,
);

/** a - b */
export const sub = broadcasting(
  'Sub',
  ({ dy }) => dy,
  ({ graph, dy }) => graph.op('Neg', [dy]),
);

/** a · b, element by element */
export const mul = broadcasting(
  'Mul',
  ({ graph, b, dy }) => graph.op('Mul', [dy, b]),
  ({ graph, a, dy }) => graph.op('Mul', [dy, a]),
);

/** a / b */
export const div = broadcasting(
  'Div',
  ({ graph, b, dy }) => graph.op('Div', [dy, b]),
  ({ graph, b, y, dy }) => graph.op('Neg', [graph.op('Div', [graph.op('Mul', [dy, y]), b])]),
);

/** A gradient where a condition on a and b holds, 0 elsewhere. */
const whereHolds =
  (condition: string): BroadcastVjp =>
  ({ graph, a, b, dy }) =>
    graph.op('Mul', [dy, graph.op('Cast', [graph.op(condition, [a, b])], { to: 1 })]);

/** The larger of a and b; of equals, a takes the gradient. */
export const maximum = broadcasting('Max', whereHolds('GreaterOrEqual'), whereHolds('Less'));

/** The smaller of a and b; of equals, a takes the gradient. */
export const minimum = broadcasting('Min', whereHolds('LessOrEqual'), whereHolds('Greater'));

function graphOf(...operands: readonly Operand[]): GraphBuilder {
  const value = operands.find((each) => typeof each !== 'number');
  if (value === undefined) throw new Error('two numbers need no graph');
  return value.graph;
}

const asValue = (graph: GraphBuilder, operand: Operand): Value =>
  typeof operand === 'number' ? { graph, tensor: graph.scalar(operand), shape: [] } : operand;

/** The shape of what is computed from tensors of these shapes. */
function broadcastShape(a: readonly number[], b: readonly number[]): readonly number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, at) => {
    const [left = 1, right = 1] = [a[at - rank + a.length], b[at - rank + b.length]];
    if (left !== right && left !== 1 && right !== 1) throw new Error(`no common shape of [${a}] and [${b}]`);
    return left === 1 ? right : left;
  });
}

/** Sums over the axes along which a tensor was repeated. */
function sumTo(
  graph: GraphBuilder,
  {
    tensor,
    from,
    to,
  }: { readonly tensor: Tensor; readonly from: readonly number[]; readonly to: readonly number[] },
): Tensor {
  const added = from.length - to.length;
  const axes = from.flatMap((extent, at) => (at < added || to[at - added] !== extent ? [at] : []));
  if (axes.length === 0) return tensor;
  const sum = graph.sum(tensor, ...axes);
  const isShaped = from.length - axes.length === to.length;
  return isShaped ? sum : graph.reshape(sum, ...to);
}
