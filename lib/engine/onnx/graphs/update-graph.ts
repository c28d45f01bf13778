/** The optimizer's part of a step: from each group's gradient to its next weights and slots. */

import type { Gradient } from '../../../model/graph/gradient.js';
import { GraphBuilder, type Tensor } from '../../../model/graph/graph-builder.js';
import type { OptimizerSettings } from '../../engine.js';
import { encodeOnnxModel } from './onnx-model.js';
import { addCorrection, addProximalTerm, applyOptimizer, optimizerSlots } from './optimizer-graph.js';
import { type ParameterGroup, tensorName } from './parameter-groups.js';

/** How weights are updated. */
export interface UpdateOptions {
  readonly optimizer: OptimizerSettings;
  /** μ of the proximal term; without one where it is 0. */
  readonly proximal?: number | undefined;
  /** Whether the inputs `correction/<group>` are added to the gradients. */
  readonly isCorrected?: boolean;
}

/** A group's tensors in the graph. */
interface GroupTensors {
  readonly group: ParameterGroup;
  readonly weights: Tensor;
  readonly gradient: Gradient;
}

/** Adds `next-weights/<group>` and `next-<slot>/<group>`, from the inputs `<slot>/<group>`, `anchor/<group>` and `correction/<group>`. */
export function outputUpdate(
  graph: GraphBuilder,
  { optimizer, proximal = 0, isCorrected = false }: UpdateOptions,
  { group, weights, gradient, stepSize }: GroupTensors & { readonly stepSize: Tensor },
): void {
  const corrected = isCorrected
    ? addCorrection(graph, gradient, groupInput(graph, 'correction', group))
    : gradient;
  const pulled =
    proximal === 0
      ? corrected
      : addProximalTerm(graph, {
          weights,
          gradient: corrected,
          anchor: groupInput(graph, 'anchor', group),
          trainable: trainableMask(graph, group),
          strength: proximal,
        });
  const names = optimizerSlots(optimizer);
  const slots = names.map((slot) => groupInput(graph, slot, group));
  const next = applyOptimizer(graph, optimizer, { weights, gradient: pulled, slots, stepSize });
  groupOutput(graph, 'next-weights', group, next.weights);
  for (const [at, slot] of names.entries())
    groupOutput(graph, `next-${slot}`, group, next.slots[at] as Tensor);
}

/** Adds `next-sum/<group>`: the input `sum/<group>` with the gradient added. */
export function outputSum(graph: GraphBuilder, { group, gradient }: GroupTensors): void {
  const sum = groupInput(graph, 'sum', group);
  // A step of -1 down the slope adds it, for products too, without the gradient in memory.
  const step = { weights: sum, gradient, slots: [], stepSize: graph.constant(Float32Array.of(-1)) };
  const { weights } = applyOptimizer(graph, { kind: 'sgd', learningRate: 1, momentum: 0 }, step);
  groupOutput(graph, 'next-sum', group, weights);
}

/** Compiles an update on its own: beside `stepSize`, weights, slots, anchors and corrections it takes the gradients `sum/<group>`. */
export function buildUpdateGraph(groups: readonly ParameterGroup[], options: UpdateOptions): Uint8Array {
  const graph = new GraphBuilder();
  const stepSize = graph.input('stepSize', 'float32', [1]);
  for (const group of groups) {
    const weights = groupInput(graph, 'weights', group);
    const gradient = groupInput(graph, 'sum', group);
    outputUpdate(graph, options, { group, weights, gradient, stepSize });
  }
  return encodeOnnxModel(graph.build());
}

/** A group's tensor as an input. */
export function groupInput(graph: GraphBuilder, what: string, group: ParameterGroup): Tensor {
  return graph.input(tensorName(what, group), 'float32', group.shape);
}

function groupOutput(graph: GraphBuilder, what: string, group: ParameterGroup, tensor: Tensor): void {
  graph.output(tensorName(what, group), tensor, { type: 'float32', shape: group.shape });
}

/** 1 for each element of a trainable parameter, 0 for each moving statistic; undefined when all are trainable. */
function trainableMask(graph: GraphBuilder, { members, shape }: ParameterGroup): Tensor | undefined {
  if (members.every(({ parameter }) => parameter.trainable)) return undefined;
  const mask = members.flatMap(({ parameter, length }) => Array(length).fill(parameter.trainable ? 1 : 0));
  return graph.constant(Float32Array.from(mask), shape);
}
