/** The optimizer's part of a step: from each group's gradient to its next weights and slots. */

import type { GraphBuilder, Tensor } from '../../../model/graph/graph-builder.js';
import type { Arithmetic } from '../../../model/optimizers/optimizer-module.js';
import {
  type OptimizerSettings,
  optimizerModule,
  optimizerRates,
} from '../../../model/optimizers/registry.js';
import type { Parameter } from '../../../model/parameters.js';
import { type Gradient, gradientTensor } from '../../../model/primitives/value.js';
import { isAlone, type ParameterGroup, tensorName } from './parameter-groups.js';

/** How weights are updated. */
export interface UpdateOptions {
  readonly optimizer: OptimizerSettings;
  /** μ of the proximal term; without one where it is 0. */
  readonly proximal?: number | undefined;
  /** Whether the inputs `correction/<group>` are added to the gradients. */
  readonly isCorrected?: boolean;
}

/** A group that is updated; extents of a slice of one are known when it comes. */
export type UpdatedGroup = Pick<ParameterGroup, 'name' | 'members'> & {
  readonly shape: readonly (number | string)[];
};

/** A group's tensors in the graph. */
export interface GroupTensors {
  readonly group: UpdatedGroup;
  readonly weights: Tensor;
  readonly gradient: Gradient;
}

/**
 * Adds `next-weights/<group>` and `next-<slot>/<group>`, from the inputs `<slot>/<group>`, `anchor/<group>`,
 * `correction/<group>` and the optimizer's rates, each `[1]`; and `penalty` [], where there are regularizers.
 */
export function outputUpdate(
  graph: GraphBuilder,
  options: UpdateOptions,
  groups: readonly GroupTensors[],
): void {
  const { optimizer } = options;
  const module = optimizerModule(optimizer);
  const names = Object.keys(module.slots(optimizer));
  const math = arithmetic(graph);
  const rates = Object.fromEntries(
    Object.keys(optimizerRates(optimizer, 1)).map((name) => [name, graph.input(name, 'float32', [1])]),
  );
  const regularized = groups.map((each) => regularize(graph, each));
  const penalties = regularized.flatMap(({ penalty }) => (penalty === undefined ? [] : [penalty]));
  if (penalties.length > 0) {
    const penalty = penalties.reduce((a, b) => graph.op('Add', [a, b]));
    graph.output('penalty', penalty, { type: 'float32', shape: [] });
  }
  const whole = regularized.map((each) => ({ ...each, gradient: wholeGradient(graph, options, each) }));
  for (const { group, weights, gradient } of clipped(graph, optimizer, whole)) {
    const step = {
      weights: rates.decay === undefined ? weights : decayed(math, weights, rates.decay),
      gradient: () => gradientTensor(graph, gradient),
      descend: (target: Tensor, share: number) => descend(graph, gradient, { target, share }),
      slots: names.map((slot) => groupInput(graph, slot, group)),
      rates,
    };
    const next = module.update(math, optimizer, step);
    groupOutput(graph, 'next-weights', group, constrained(graph, next.weights, group));
    for (const [at, slot] of names.entries())
      groupOutput(graph, `next-${slot}`, group, next.slots[at] as Tensor);
  }
}

/** A group's tensor as an input. */
export function groupInput(graph: GraphBuilder, what: string, group: UpdatedGroup): Tensor {
  return graph.input(tensorName(what, group), 'float32', group.shape);
}

/**
 * What one operator gives out at most. A shader of WebGPU binds each output, and may bind 8 in all by the standard; ONNX
 * Runtime splits into as many tensors as the card allows, and fails beyond.
 */
const MOST_PARTS = 7;

/** A flat group's tensor as one flat tensor for each member. */
export const splitGroup = (
  graph: GraphBuilder,
  tensor: Tensor,
  { members }: Pick<ParameterGroup, 'members'>,
): readonly Tensor[] =>
  splitFlat(
    graph,
    tensor,
    members.map(({ length }) => length),
  );

/** In parts of parts where there are many: the members of a flat group are small. */
function splitFlat(graph: GraphBuilder, tensor: Tensor, lengths: readonly number[]): readonly Tensor[] {
  if (lengths.length <= MOST_PARTS) {
    return graph.opWithOutputs('Split', {
      inputs: [tensor, graph.integers(...lengths)],
      attributes: { axis: 0 },
      outputs: lengths.length,
    });
  }
  const size = Math.ceil(lengths.length / MOST_PARTS);
  const chunks = Array.from({ length: Math.ceil(lengths.length / size) }, (_, at) =>
    lengths.slice(at * size, (at + 1) * size),
  );
  const wholes = chunks.map((chunk) => chunk.reduce((sum, length) => sum + length, 0));
  const parts = splitFlat(graph, tensor, wholes);
  return chunks.flatMap((chunk, at) => {
    const part = parts[at] as Tensor;
    return chunk.length === 1 ? [part] : splitFlat(graph, part, chunk);
  });
}

/** A group's tensor as an output. */
export function groupOutput(graph: GraphBuilder, what: string, group: UpdatedGroup, tensor: Tensor): void {
  graph.output(tensorName(what, group), tensor, { type: 'float32', shape: group.shape });
}

/** Whether a regularizer is on any of a group's parameters. */
export const isRegularized = ({ members }: Pick<ParameterGroup, 'members'>): boolean =>
  members.some(({ parameter }) => parameter.regularizer !== undefined);

/** Adds regularizers to a group's gradient, l1 · sign(w) + 2 · l2 · w, and their share of the loss. */
function regularize(
  graph: GraphBuilder,
  tensors: GroupTensors,
): GroupTensors & { readonly penalty?: Tensor } {
  const { group, weights } = tensors;
  if (!isRegularized(group)) return tensors;
  const multiply = (a: Tensor, b: Tensor) => graph.op('Mul', [a, b]);
  const addTo = (sum: Tensor | undefined, tensor: Tensor) =>
    sum === undefined ? tensor : graph.op('Add', [sum, tensor]);
  let [slope, terms]: [Tensor | undefined, Tensor | undefined] = [undefined, undefined];
  for (const [kind, factor] of [
    ['l1', 1],
    ['l2', 2],
  ] as const) {
    const strengths = group.members.map(({ parameter, length }) => ({
      length,
      strength: parameter.regularizer?.[kind] ?? 0,
    }));
    if (strengths.every(({ strength }) => strength === 0)) continue;
    const each = (scale: number) =>
      strengths.length === 1
        ? graph.scalar((strengths[0]?.strength ?? 0) * scale)
        : graph.constant(
            Float32Array.from(
              strengths.flatMap(({ strength, length }) => Array(length).fill(strength * scale)),
            ),
          );
    const value = kind === 'l1' ? graph.op('Abs', [weights]) : multiply(weights, weights);
    const change = kind === 'l1' ? graph.op('Sign', [weights]) : weights;
    slope = addTo(slope, multiply(change, each(factor)));
    terms = addTo(terms, graph.op('ReduceSum', [multiply(value, each(1))], { keepdims: 0 }));
  }
  if (slope === undefined || terms === undefined) return tensors;
  const gradient = graph.op('Add', [gradientTensor(graph, tensors.gradient), slope]);
  return { ...tensors, gradient, penalty: terms };
}

/** Added to a length, so that none is divided by 0. */
const SMALLEST_NORM = 1e-7;

/** A group's next weights, brought back to what constraints allow. */
function constrained(graph: GraphBuilder, weights: Tensor, group: UpdatedGroup): Tensor {
  if (group.members.every(({ parameter }) => parameter.constraint === undefined)) return weights;
  return byMember(graph, weights, group, (tensor, { constraint, shape }) => {
    if (constraint === undefined) return tensor;
    if (constraint.kind === 'non-negative') return graph.op('Relu', [tensor]);
    const { least, most, rate, axes } = constraint;
    const array = graph.reshape(tensor, ...shape);
    const squares = graph.op('ReduceSumSquare', [array, graph.integers(...axes)], { keepdims: 1 });
    const norm = graph.op('Sqrt', [squares]);
    const bounded = graph.op('Clip', [norm, graph.scalar(least), graph.scalar(most)]);
    const part = (of: Tensor, by: number) => graph.op('Mul', [of, graph.scalar(by)]);
    const wanted = rate === 1 ? bounded : graph.op('Add', [part(bounded, rate), part(norm, 1 - rate)]);
    const scale = graph.op('Div', [wanted, graph.op('Add', [norm, graph.scalar(SMALLEST_NORM)])]);
    const changed = graph.op('Mul', [array, scale]);
    return isAlone(group) ? changed : graph.reshape(changed, -1);
  });
}

/**
 * The gradient with what is added to it: a strategy's correction, e.g. SCAFFOLD's c − c_i, and the gradient of FedProx'
 * term, μ (w - w₀) (Li et al. 2020, arXiv 1812.06127, eq. 2).
 */
function wholeGradient(
  graph: GraphBuilder,
  { proximal = 0, isCorrected = false }: UpdateOptions,
  { group, weights, gradient }: GroupTensors,
): Gradient {
  const add = (to: Gradient, tensor: Tensor) => graph.op('Add', [gradientTensor(graph, to), tensor]);
  const corrected = isCorrected ? add(gradient, groupInput(graph, 'correction', group)) : gradient;
  if (proximal === 0) return corrected;
  const anchor = groupInput(graph, 'anchor', group);
  return add(corrected, graph.op('Mul', [graph.op('Sub', [weights, anchor]), graph.scalar(proximal)]));
}

/** The gradients within the bounds that the optimizer sets. */
function clipped(
  graph: GraphBuilder,
  { clipGradientValue, clipGradientNorm, clipGradientGlobalNorm }: OptimizerSettings,
  groups: readonly GroupTensors[],
): readonly GroupTensors[] {
  const changed = (change: (gradient: Tensor, group: UpdatedGroup) => Tensor) =>
    groups.map((each) => ({ ...each, gradient: change(gradientTensor(graph, each.gradient), each.group) }));
  if (clipGradientValue !== undefined) {
    const [low, high] = [graph.scalar(-clipGradientValue), graph.scalar(clipGradientValue)];
    return changed((gradient) => graph.op('Clip', [gradient, low, high]));
  }
  const squares = (gradient: Tensor) => graph.op('ReduceSumSquare', [gradient], { keepdims: 0 });
  const shortened = (gradient: Tensor, squared: Tensor, length: number) => {
    const limit = graph.scalar(length);
    const share = graph.op('Div', [limit, graph.op('Max', [graph.op('Sqrt', [squared]), limit])]);
    return graph.op('Mul', [gradient, share]);
  };
  if (clipGradientNorm !== undefined) {
    return changed((gradient, group) =>
      byMember(graph, gradient, group, (each) => shortened(each, squares(each), clipGradientNorm)),
    );
  }
  if (clipGradientGlobalNorm === undefined) return groups;
  const whole = changed((gradient) => gradient);
  const sum = whole.map(({ gradient }) => squares(gradient)).reduce((a, b) => graph.op('Add', [a, b]));
  return whole.map((each) => ({ ...each, gradient: shortened(each.gradient, sum, clipGradientGlobalNorm) }));
}

/** Changes each parameter of a group by itself. */
function byMember(
  graph: GraphBuilder,
  tensor: Tensor,
  group: UpdatedGroup,
  change: (tensor: Tensor, parameter: Parameter) => Tensor,
): Tensor {
  const { members } = group;
  const [{ parameter: only }] = members as readonly [ParameterGroup['members'][number]];
  if (members.length === 1) return change(tensor, only);
  const parts = splitGroup(graph, tensor, group);
  const changed = members.map(({ parameter }, at) => change(parts[at] as Tensor, parameter));
  return graph.op('Concat', changed, { axis: 0 });
}

/** The weights less their decay, as AdamW takes it before its step. */
function decayed(math: Arithmetic<Tensor>, weights: Tensor, decay: Tensor): Tensor {
  return math.subtract(weights, math.multiply(weights, decay));
}

/** share · target − stepSize · gradient. A product is added up right where the result is written. */
export function descend(
  graph: GraphBuilder,
  gradient: Gradient,
  {
    target,
    share,
    stepSize = 'stepSize',
  }: { readonly target: Tensor; readonly share: number; readonly stepSize?: Tensor },
): Tensor {
  const descent = graph.op('Neg', [stepSize]);
  if (typeof gradient !== 'string') {
    const { left, right } = gradient;
    const scaled = graph.op('Mul', [right, descent]);
    return graph.op('Gemm', [left, scaled, target], { transA: 1, beta: { float: share } });
  }
  const update = graph.op('Mul', [gradient, descent]);
  return graph.op('Add', [share === 1 ? target : graph.op('Mul', [target, graph.scalar(share)]), update]);
}

function arithmetic(graph: GraphBuilder): Arithmetic<Tensor> {
  const binary = (type: string) => (a: Tensor, b: Tensor) => graph.op(type, [a, b]);
  const unary = (type: string) => (a: Tensor) => graph.op(type, [a]);
  return {
    constant: (value) => graph.scalar(value),
    add: binary('Add'),
    subtract: binary('Sub'),
    multiply: binary('Mul'),
    divide: binary('Div'),
    larger: binary('Max'),
    squareRoot: unary('Sqrt'),
    sign: unary('Sign'),
    absolute: unary('Abs'),
  };
}
