/** What the recurrent layers have in common: their settings, and how a cell runs along a sequence. */

import { ModelError } from '../../../core/errors.js';
import type { Tensor } from '../../graph/graph-builder.js';
import { mul } from '../../primitives/arithmetic.js';
import { multiplyEach } from '../../primitives/products.js';
import { type Product, type Recurrence, recur } from '../../primitives/recurrence.js';
import { concat, reshape, reverse, transpose, where } from '../../primitives/shaping.js';
import { BATCH_AXIS, type Value } from '../../primitives/value.js';
import { type ActivationName, activationUnder, isElementwise } from '../activation.js';
import { dropoutMask, innerDropout, withOtherNumbers } from '../dropout.js';
import type { LayerContext, LayerParameter } from '../layer-module.js';
import { fixed, flag, flagOff, type LayerWith, size } from '../settings.js';
import { requireSequence } from './sequences.js';

/** The settings of every recurrent layer. The activation is the cell's, not one behind the layer. */
export const recurrentSettings = {
  units: size('units', 'output_dim'),
  cellActivation: activationUnder(['activation'], 'tanh'),
  useBias: flag('use_bias'),
  returnSequences: flagOff('return_sequences'),
  goBackwards: flagOff('go_backwards'),
  returnState: fixed('return_state', false, null),
  stateful: fixed('stateful', false, null),
  timeMajor: fixed('time_major', false, null),
  /** What comes out of a step that does not count: 0, or what came out before. */
  zeroOutputForMask: flagOff('zero_output_for_mask'),
  dropout: innerDropout('dropout', 'dropout_W'),
  recurrentDropout: innerDropout('recurrent_dropout', 'dropout_U'),
} as const;

/** The activation of gates. */
export const gateActivation = activationUnder(['recurrent_activation', 'inner_activation'], 'sigmoid');

/** Of how a cell is computed. */
export const WITHOUT_EFFECT = ['unroll', 'implementation', 'use_cudnn', 'consume_less'] as const;

/** A recurrent layer of whatever kind. */
type RecurrentLayer = LayerWith<string, typeof recurrentSettings>;

/** `[t, units]` or `[units]`. @throws {ModelError} for no sequence, or an activation that is not one of each element */
function recurrentShape(
  layer: RecurrentLayer & { readonly recurrentActivation?: ActivationName },
  input: readonly number[],
): readonly number[] {
  requireSequence(layer, input);
  for (const [key, name] of [
    ['activation', layer.cellActivation],
    ['recurrent_activation', layer.recurrentActivation],
  ]) {
    if (name !== undefined && !isElementwise(name as ActivationName))
      throw new ModelError(`layer ${layer.name}: ${key} ${name} is not possible inside of a cell`);
  }
  return layer.returnSequences ? [input[0] as number, layer.units] : [layer.units];
}

/** What the module of every recurrent layer says. */
export const recurrentModule = {
  outputShape: recurrentShape,
  maskBehind: ({ returnSequences }: RecurrentLayer) => (returnSequences ? 'kept' : 'dropped'),
  drawsNumbers: ({ dropout, recurrentDropout }: RecurrentLayer) =>
    dropout !== undefined || recurrentDropout !== undefined,
  notTrainedByTensorflow: (layer: RecurrentLayer) =>
    recurrentModule.drawsNumbers(layer) ? 'masks that a seed repeats' : undefined,
} as const;

/** Kernels of some gates, `[features, gates·units]` and `[units, gates·units]`, and a bias of a given shape. */
export function recurrentParameters(
  { units, useBias }: RecurrentLayer,
  input: readonly number[],
  {
    gates,
    bias = { shape: [gates * units], initial: 'zeros' },
  }: { readonly gates: number; readonly bias?: Pick<LayerParameter, 'shape' | 'initial'> },
): readonly LayerParameter[] {
  return [
    { role: 'kernel', shape: [input[1] as number, gates * units], initial: 'glorot-uniform' },
    { role: 'recurrent_kernel', shape: [units, gates * units], initial: 'orthogonal' },
    ...(useBias ? [{ role: 'bias', ...bias }] : []),
  ];
}

/** Places of a layer's masks, see `withOtherNumbers`. */
const [OF_INPUTS, OF_STATES] = [1, 2] as const;

/** Drops features of the inputs, the same ones in all steps. */
export function dropInputs({ dropout }: RecurrentLayer, x: Value, context: LayerContext): Value {
  if (!context.training || dropout === undefined) return x;
  const shape = x.shape.map((extent, axis) => (axis === 1 ? 1 : extent));
  const mask = dropoutMask(dropout, {
    context: withOtherNumbers(context, OF_INPUTS),
    x: { graph: x.graph, shape },
  });
  return { ...mul(x, mask), mask: x.mask };
}

/**
 * What of a state goes into the products of a step, `[units, n]`: without the units that are dropped, which are the same in
 * all steps, and for all gates (Gal and Ghahramani 2016, arXiv 1512.05287, with tied weights).
 */
export function stateDropout(
  { units, recurrentDropout }: RecurrentLayer,
  { graph }: Value,
  context: LayerContext,
): (state: Value) => Value {
  if (!context.training || recurrentDropout === undefined) return (state) => state;
  const x = { graph, shape: [BATCH_AXIS, units] };
  const rows = dropoutMask(recurrentDropout, { context: withOtherNumbers(context, OF_STATES), x });
  const tensor = graph.transpose(rows.tensor, 1, 0);
  return (state) => mul(state, { graph: state.graph, tensor, shape: state.shape });
}

/**
 * What the inputs of all steps give to the gates, `[t, gates·units, n]`: one product for all steps. The bias is the weight
 * of a feature that is always 1, so that its gradient, too, comes with the kernel's.
 */
export function inputGates({ goBackwards }: RecurrentLayer, x: Value, kernel: Value, bias?: Value): Value {
  const columns = transpose(x, [1, 2, 0]);
  const inputs = goBackwards ? reverse(columns, 0) : columns;
  const weights = transpose(kernel, [1, 0]);
  if (bias === undefined) return multiplyEach(weights, inputs);
  const { graph, shape } = inputs;
  const [steps = 0, , examples = 0] = shape;
  const ones = graph.op('Expand', [
    graph.scalar(1),
    graph.op('Concat', [graph.integers(steps, 1), exampleCount(inputs)], { axis: 0 }),
  ]);
  const one: Value = { graph, tensor: ones, shape: [steps, 1, examples] };
  return multiplyEach(
    concat([weights, reshape(bias, [bias.shape[0] as number, 1])], 1),
    concat([inputs, one], 1),
  );
}

const exampleCount = ({ graph, tensor }: Value) => graph.op('Shape', [tensor], { start: 2 });

/** Which steps count, `[t, 1, n]`. */
function maskOf({ graph, mask }: Value, goBackwards: boolean): Tensor | undefined {
  if (mask === undefined) return undefined;
  const rows = graph.op('Unsqueeze', [graph.transpose(mask, 1, 0), graph.integers(1)]);
  if (!goBackwards) return rows;
  const [last, end, axis, step] = [-1, -(2 ** 31), 0, -1].map((each) => graph.integers(each));
  return graph.op('Slice', [rows, last as Tensor, end as Tensor, axis as Tensor, step as Tensor]);
}

/** Runs a cell whose step takes one product, of the state and all gates' recurrent kernels: that, with the inputs' share. */
export function runGates(
  layer: RecurrentLayer,
  x: Value,
  {
    states: count,
    context,
    step,
  }: {
    readonly states: number;
    readonly context: LayerContext;
    /** The next states, from the present ones and the gates before their activations, `[gates·units, n]`. */
    step(states: readonly Value[], gates: Value): readonly Value[];
  },
): Value {
  const { parameter } = context;
  const bias = layer.useBias ? parameter('bias') : undefined;
  const kept = stateDropout(layer, x, context);
  return runCell(layer, x, {
    states: count,
    sequences: [inputGates(layer, dropInputs(layer, x, context), parameter('kernel'), bias)],
    matrices: [transpose(parameter('recurrent_kernel'), [1, 0])],
    step({ states, elements: [ofInput], products: [product] }) {
      return step(states, (product as Product)(kept(states[0] as Value), ofInput as Value));
    },
  });
}

/**
 * Runs a cell along a sequence. Its states are columns `[units, n]`: gates of one step then lie one behind the other, and
 * the processor multiplies a large matrix with a narrow one, which it reads faster than the other way round.
 */
export function runCell(
  { units, returnSequences, goBackwards, zeroOutputForMask }: RecurrentLayer,
  x: Value,
  { states: count, ...cell }: Omit<Recurrence, 'states' | 'mask'> & { readonly states: number },
): Value {
  const [first] = cell.sequences as readonly [Value, ...Value[]];
  const { graph } = first;
  const zeros: Value = {
    graph,
    tensor: graph.op('ConstantOfShape', [
      graph.op('Concat', [graph.integers(units), exampleCount(first)], { axis: 0 }),
    ]),
    shape: [units, first.shape[2] as number],
  };
  const mask = maskOf(x, goBackwards);
  const course = recur({ ...cell, mask, states: Array.from({ length: count }, () => zeros) });
  if (!returnSequences) return transpose(course.last(), [1, 0]);
  const all = course.all();
  return transpose(mask !== undefined && zeroOutputForMask ? where(mask, all, mul(all, 0)) : all, [2, 0, 1]);
}
