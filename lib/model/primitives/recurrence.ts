/** A step that is repeated along a sequence, and the way back through its steps. */
import type { Tensor } from '../graph/graph-builder.js';
import { hoist } from './hoisting.js';
import { sumOfProducts } from './products.js';
import { Scan } from './scan.js';
import { where } from './shaping.js';
import { gradients, type Value } from './value.js';

/** Multiplies a matrix [rows, k] that all steps share with a value [k, n] of the step, and adds another one. */
export type Product = (x: Value, plus?: Value) => Value;

/** What becomes of some states along sequences. */
export interface Recurrence {
  /** Before the first step. */
  readonly states: readonly Value[];
  /** `[t, …]`: each step reads one element of each. */
  readonly sequences: readonly Value[];
  /** Each step multiplies each with one value: their gradients are products of large matrices, for all steps at once. */
  readonly matrices: readonly Value[];
  /** `[t, …]` bool: where it is false, a step leaves the states as they are. */
  readonly mask?: Tensor | undefined;
  /** The states after a step. */
  step(at: {
    readonly states: readonly Value[];
    readonly elements: readonly Value[];
    readonly products: readonly Product[];
  }): readonly Value[];
}

/** The first of the states: after each step, `[t, …]`, and after the last one. */
interface Course {
  all(): Value;
  last(): Value;
}

/** Repeats a step along sequences. */
export function recur({ states, sequences, matrices, mask, step }: Recurrence): Course {
  const [first] = states as readonly [Value, ...Value[]];
  const [steps = 0] = sequences[0]?.shape ?? [];
  const { graph } = first;
  const inner = graph.inner();
  const within = (what: string, shape: readonly number[]): Value => ({
    graph: inner,
    tensor: inner.unique(what),
    shape,
  });
  const before = states.map(({ shape }) => within('state', shape));
  const elements = sequences.map(({ shape }) => within('element', shape.slice(1)));
  const isTaken = inner.unique('taken');
  const factors: Value[] = [];
  const products: Value[] = [];
  const made = step({
    states: before,
    elements,
    products: matrices.map((matrix, at) => (x, plus) => {
      const y: Value = {
        graph: inner,
        tensor: inner.op('Gemm', [matrix.tensor, x.tensor, ...(plus === undefined ? [] : [plus.tensor])]),
        shape: [matrix.shape[0] as number, ...x.shape.slice(1)],
        origin: {
          inputs: [x, ...(plus === undefined ? [] : [plus])],
          vjps: [
            (dy) => inner.op('MatMul', [graph.transpose(matrix.tensor, 1, 0), dy]),
            (dy) =>
              plus?.shape[1] === 1 ? inner.op('ReduceSum', [dy, inner.integers(1)], { keepdims: 1 }) : dy,
          ],
        },
      };
      factors[at] = x;
      products[at] = y;
      return y;
    }),
  });
  const after = mask === undefined ? made : made.map((each, at) => where(isTaken, each, before[at] as Value));
  const forward = new Scan(graph, inner, {
    nodes: inner.nodes,
    carried: states.map(({ tensor }, at) => ({
      before: (before[at] as Value).tensor,
      after: (after[at] as Value).tensor,
      initial: tensor,
    })),
    read: [
      ...sequences.map(({ tensor }, at) => ({ element: (elements[at] as Value).tensor, sequence: tensor })),
      ...(mask === undefined ? [] : [{ element: isTaken, sequence: mask, type: 'bool' as const }]),
    ],
    isReverse: false,
  });

  /** The gradients of all inputs, from that of the first state: after each step, or after the last one. */
  const back = (dy: Tensor, ofEach: boolean): readonly Tensor[] => {
    const start = inner.nodes.length;
    const carried = states.map(() => inner.unique('dstate'));
    const dElement = inner.unique('dy');
    const dAfter = carried.map((each, at) => (ofEach && at === 0 ? inner.op('Add', [each, dElement]) : each));
    const all: Value = {
      graph: inner,
      tensor: 'the states after a step',
      shape: [],
      origin: { inputs: after, vjps: dAfter.map((each) => () => each) },
    };
    const wanted = [...before, ...elements, ...products];
    const found = gradients(all, '', wanted) as readonly Tensor[];
    const own = inner.nodes.slice(start);
    const isOwn = new Set([...carried, ...own.flatMap(({ outputs }) => outputs)]);
    const { nodes, sequences: known } = hoist(graph, own, {
      sequenceOf: (tensor) =>
        tensor === dElement ? dy : forward.knows(tensor) ? forward.collect(tensor) : undefined,
      isShared: (tensor) => !isOwn.has(tensor),
    });
    const needed = new Set([...nodes.flatMap(({ inputs }) => inputs), ...found]);
    const backward = new Scan(graph, inner, {
      nodes,
      carried: states.map(({ tensor }, at) => ({
        before: carried[at] as Tensor,
        after: found[at] as Tensor,
        initial: at === 0 && !ofEach ? dy : graph.op('ConstantOfShape', [graph.op('Shape', [tensor])]),
      })),
      read: [...known]
        .filter(([element]) => needed.has(element))
        .map(([element, sequence]) => ({
          element,
          sequence,
          type: element === isTaken ? ('bool' as const) : ('float32' as const),
        })),
      isReverse: true,
    });
    const ofElements = found.slice(states.length, states.length + elements.length);
    const ofProducts = found.slice(states.length + elements.length);
    return [
      ...backward.last,
      ...ofElements.map((each) => backward.collect(each)),
      ...ofProducts.map((each, at) =>
        sumOfProducts(graph, backward.collect(each), forward.collect((factors[at] as Value).tensor)),
      ),
    ];
  };
  const inputs = [...states, ...sequences, ...matrices];
  const courseOf = (tensor: Tensor, shape: readonly number[], ofEach: boolean): Value => {
    const known = new Map<Tensor, readonly Tensor[]>();
    const vjp = (at: number) => (dy: Tensor) => {
      const found = known.get(dy) ?? back(dy, ofEach);
      known.set(dy, found);
      return found[at] as Tensor;
    };
    return { graph, tensor, shape, origin: { inputs, vjps: inputs.map((_, at) => vjp(at)) } };
  };
  return {
    all: () => courseOf(forward.collect((after[0] as Value).tensor), [steps, ...first.shape], true),
    last: () => courseOf(forward.last[0] as Tensor, first.shape, false),
  };
}
