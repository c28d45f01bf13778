/** Takes out of the step of a Scan what does not depend on the step before: once for all steps instead of in each. */
import type { GraphBuilder, GraphNode, Tensor } from '../graph/graph-builder.js';

/** Operators on each element: of `[t, …]` they make at once what they make of each step. */
const ELEMENTWISE: ReadonlySet<string> = new Set([
  ...[
    'Abs',
    'Add',
    'And',
    'Cast',
    'Clip',
    'Div',
    'Elu',
    'Equal',
    'Erf',
    'Exp',
    'Greater',
    'LeakyRelu',
    'Less',
  ],
  ...['Mul', 'Neg', 'Not', 'Relu', 'Sigmoid', 'Sign', 'Softplus', 'Sqrt', 'Sub', 'Tanh', 'Where'],
]);

/** What is known before the first step. */
interface Known {
  /** The sequence `[t, …]` of a tensor of each step. */
  readonly sequenceOf: (tensor: Tensor) => Tensor | undefined;
  /** Whether a tensor is one of the graph around the step, the same for all steps. */
  readonly isShared: (tensor: Tensor) => boolean;
}

/** What is left of a step. */
interface HoistedStep {
  readonly nodes: readonly GraphNode[];
  /** Of what the rest may read, by the names in the step. */
  readonly sequences: ReadonlyMap<Tensor, Tensor>;
}

/**
 * Moves nodes of a step into the graph around it. Two factors that are known before the step become one: of
 * (d · a) · b, d · (a · b) is left.
 */
export function hoist(outer: GraphBuilder, nodes: readonly GraphNode[], known: Known): HoistedStep {
  const sequences = new Map<Tensor, Tensor>();
  const outside = (tensor: Tensor): Tensor | undefined => {
    const sequence = sequences.get(tensor) ?? known.sequenceOf(tensor);
    if (sequence !== undefined) sequences.set(tensor, sequence);
    return sequence ?? (known.isShared(tensor) ? tensor : undefined);
  };
  const uses = new Map<Tensor, number>();
  for (const input of nodes.flatMap(({ inputs }) => inputs)) uses.set(input, (uses.get(input) ?? 0) + 1);
  const left = new Map<Tensor, GraphNode>();
  for (const node of nodes) {
    const [output] = node.outputs as readonly [Tensor];
    const given = node.inputs.map(outside);
    const isKnown = given.every((each) => each !== undefined);
    if (isKnown && ELEMENTWISE.has(node.type))
      sequences.set(output, outer.op(node.type, given, node.attributes));
    else left.set(output, node);
  }
  for (const [output, node] of left) {
    if (node.type !== 'Mul') continue;
    const factors = knownFactor(node, outside);
    const before = left.get(factors?.other ?? '');
    if (factors === undefined || before?.type !== 'Mul' || uses.get(factors.other) !== 1) continue;
    const earlier = knownFactor(before, outside);
    if (earlier === undefined) continue;
    const product = `${factors.name}·${earlier.name}`;
    sequences.set(product, outer.op('Mul', [earlier.known, factors.known]));
    left.delete(factors.other);
    left.set(output, { ...node, inputs: [earlier.other, product] });
  }
  return { nodes: [...left.values()], sequences };
}

/** The factor of a product that is known before the step, and the other one. */
function knownFactor({ inputs }: GraphNode, outside: (tensor: Tensor) => Tensor | undefined) {
  const [a, b] = inputs as readonly [Tensor, Tensor];
  for (const [name, other] of [
    [b, a],
    [a, b],
  ] as const) {
    const known = outside(name);
    if (known !== undefined && outside(other) === undefined) return { name, known, other };
  }
  return undefined;
}
