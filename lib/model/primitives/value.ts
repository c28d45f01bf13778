/** Tensors that know what they were computed from, and the reverse pass over them that gives gradients. */
import type { GraphBuilder, Tensor } from '../graph/graph-builder.js';

/**
 * A tensor, or the product leftᵀ · right, left to the optimizer: it may be added up right
 * where the next weights are written, with no gradient in memory in between.
 */
export type Gradient = Tensor | GradientProduct;

/** `left` [n, rows], `right` [n, columns] */
interface GradientProduct {
  readonly left: Tensor;
  readonly right: Tensor;
}

/** The gradient as a tensor. */
export function gradientTensor(graph: GraphBuilder, gradient: Gradient): Tensor {
  if (typeof gradient === 'string') return gradient;
  return graph.op('Gemm', [gradient.left, gradient.right], { transA: 1 });
}

/** Stands for the batch axis in the shape of a {@link Value}. */
export const BATCH_AXIS = -1;

/** A tensor in a graph under construction. */
export interface Value {
  readonly graph: GraphBuilder;
  readonly tensor: Tensor;
  /** In Keras' order, however the tensor lies; with the batch axis, {@link BATCH_AXIS}, where it has one. */
  readonly shape: readonly number[];
  /** How the tensor lies where that is not Keras' order. Its gradient lies as it does. */
  readonly layout?: Layout | undefined;
  /** Nothing is below 0: the relu that follows is done already. */
  readonly isRectified?: boolean | undefined;
  /** Which elements of a sequence count, `[n, t]` bool, where not all do. */
  readonly mask?: Tensor | undefined;
  /** What it was computed from; none for inputs, parameters and constants. */
  readonly origin?: Origin;
}

/**
 * `channels-first`: the last axis lies behind the batch, `[n, c, h, w]`, as ONNX's convolutions want it. `blocked`: so,
 * and the channels in blocks, ONNX Runtime's own layout for fast convolutions: those of a pixel lie together in blocks
 * of as many as fill a vector register (16 with AVX-512, 8 with AVX2), in memory `[n, c/b, h, w, b]`, declared as
 * `[n, c, h, w]`. Primitives that do not care keep it; others convert by the functions of `layout.ts`.
 */
export type Layout = 'channels-first' | 'blocked';

/** The gradient at one input of an operator, from that at its output: a vector-Jacobian product. */
export type Vjp = (dy: Tensor) => Gradient;

interface Origin {
  readonly inputs: readonly Value[];
  /** One for each input; called in this order. */
  readonly vjps: readonly Vjp[];
  /** Of one of several parts of its only input, instead: their gradients become the input's together. */
  readonly part?: { readonly of: Parts; readonly at: number };
}

/** What the parts of a value have in common. */
export interface Parts {
  /** The gradient at the value from those at its parts, undefined where nothing depends on one. */
  readonly vjp: (dys: readonly (Tensor | undefined)[]) => Tensor;
  readonly count: number;
}

/**
 * Reverse-mode differentiation: adds the nodes that turn the gradient at `output` into those at the `wanted` values.
 * A value that is used several times gets the sum of what comes back; nothing is computed for values that are not on
 * the way to a wanted one. Undefined is the gradient at a value on which the output does not depend.
 */
export function gradients(
  output: Value,
  outputGradient: Tensor,
  wanted: readonly Value[],
): readonly (Gradient | undefined)[] {
  const { graph } = output;
  const found = new Map<Value, Gradient>([[output, outputGradient]]);
  const foundOfParts = new Map<Value, Map<Parts, (Tensor | undefined)[]>>();
  const give = (input: Value, share: Gradient) => {
    const others = found.get(input);
    const sum = () => graph.op('Add', [gradientTensor(graph, others ?? ''), gradientTensor(graph, share)]);
    found.set(input, others === undefined ? share : sum());
  };
  for (const { value, isOnPath } of pathsTo(output, new Set(wanted)).reverse()) {
    for (const [parts, dys] of foundOfParts.get(value) ?? []) give(value, parts.vjp(dys));
    const gradient = found.get(value);
    if (gradient === undefined || !isOnPath.includes(true)) continue;
    const dy = gradientTensor(graph, gradient);
    const { inputs = [], vjps = [], part } = value.origin ?? {};
    for (const [at, input] of inputs.entries()) {
      if (!isOnPath[at]) continue;
      const vjp = vjps[at];
      if (vjp !== undefined) give(input, vjp(dy));
      if (part === undefined) continue;
      const ofInput = foundOfParts.get(input) ?? new Map<Parts, (Tensor | undefined)[]>();
      const dys = ofInput.get(part.of) ?? Array.from({ length: part.of.count }, () => undefined);
      dys[part.at] = dy;
      foundOfParts.set(input, ofInput.set(part.of, dys));
    }
  }
  return wanted.map((value) => found.get(value));
}

interface PathValue {
  readonly value: Value;
  /** Of each input of the value. */
  readonly isOnPath: readonly boolean[];
}

/**
 * The values between the wanted ones and `output`, inputs before what is computed from them. Not by recursion: a
 * network that is unrolled over many steps is deeper than the stack.
 */
function pathsTo(output: Value, wanted: ReadonlySet<Value>): PathValue[] {
  const order: PathValue[] = [];
  const leads = new Map<Value, boolean>();
  const open = [{ value: output, next: 0 }];
  while (open.length > 0) {
    const visit = open.at(-1) as { readonly value: Value; next: number };
    const { value } = visit;
    const inputs = value.origin?.inputs ?? [];
    const input = inputs[visit.next++];
    if (input === undefined) {
      open.pop();
      const isOnPath = inputs.map((each) => leads.get(each) === true);
      const isLeading = wanted.has(value) || isOnPath.includes(true);
      leads.set(value, isLeading);
      if (isLeading) order.push({ value, isOnPath });
    } else if (!leads.has(input)) {
      open.push({ value: input, next: 0 });
    }
  }
  return order;
}
