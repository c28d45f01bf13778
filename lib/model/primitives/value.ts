/** Tensors that know what they were computed from, and the reverse pass over them that gives gradients. */
import type { GraphBuilder, Tensor } from '../graph/graph-builder.js';

/** Stands for the batch axis in the shape of a {@link Value}. */
export const BATCH_AXIS = -1;

/** A tensor in a graph under construction. */
export interface Value {
  readonly graph: GraphBuilder;
  readonly tensor: Tensor;
  /** With the batch axis, {@link BATCH_AXIS}, where it has one. */
  readonly shape: readonly number[];
  /** What it was computed from; none for inputs, parameters and constants. */
  readonly origin?: Origin;
}

/** The gradient at one input of an operator, from that at its output: a vector-Jacobian product. */
type Vjp = (dy: Tensor) => Tensor;

interface Origin {
  readonly inputs: readonly Value[];
  /** One for each input. */
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
 * the way to a wanted one.
 */
export function gradients(
  output: Value,
  outputGradient: Tensor,
  wanted: readonly Value[],
): readonly Tensor[] {
  const { graph } = output;
  const order = pathsTo(output, wanted);
  const found = new Map<Value, Tensor>([[output, outputGradient]]);
  const foundOfParts = new Map<Value, Map<Parts, (Tensor | undefined)[]>>();
  const give = (input: Value, share: Tensor) => {
    const others = found.get(input);
    found.set(input, others === undefined ? share : graph.op('Add', [others, share]));
  };
  for (const { value, isOnPath } of [...order].reverse()) {
    for (const [parts, dys] of foundOfParts.get(value) ?? []) give(value, parts.vjp(dys));
    const dy = found.get(value) as Tensor;
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
  return wanted.map((value) => {
    const gradient = found.get(value);
    if (gradient === undefined) throw new Error(`${output.tensor} does not depend on ${value.tensor}`);
    return gradient;
  });
}

interface PathValue {
  readonly value: Value;
  /** Of each input of the value. */
  readonly isOnPath: readonly boolean[];
}

/** The values between the wanted ones and `output`, inputs before what is computed from them. */
function pathsTo(output: Value, wanted: readonly Value[]): readonly PathValue[] {
  const order: PathValue[] = [];
  const seen = new Map<Value, boolean>();
  const visit = (value: Value): boolean => {
    const known = seen.get(value);
    if (known !== undefined) return known;
    const isOnPath = (value.origin?.inputs ?? []).map(visit);
    const leads = wanted.includes(value) || isOnPath.includes(true);
    seen.set(value, leads);
    if (leads) order.push({ value, isOnPath });
    return leads;
  };
  visit(output);
  return order;
}
