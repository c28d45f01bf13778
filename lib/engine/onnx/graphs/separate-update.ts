/** Gradients that leave the step that computes them, added up or given out, and the updates that take them later. */

import { GraphBuilder, type Tensor } from '../../../model/graph/graph-builder.js';
import type { OptimizerSettings } from '../../../model/optimizers/registry.js';
import { encodeOnnxModel } from './onnx-model.js';
import {
  descend,
  type GroupTensors,
  groupInput,
  groupOutput,
  isRegularized,
  outputUpdate,
  type UpdatedGroup,
  type UpdateOptions,
} from './optimizer-graph.js';
import { type ParameterGroup, tensorName } from './parameter-groups.js';

/** Adds `next-sum/<group>`: the input `sum/<group>` with the gradient added. */
export function outputSum(graph: GraphBuilder, { group, gradient }: Omit<GroupTensors, 'weights'>): void {
  const target = groupInput(graph, 'sum', group);
  // A step of -1 down the slope adds it, for products too, without the gradient in memory.
  const stepSize = graph.constant(Float32Array.of(-1));
  groupOutput(graph, 'next-sum', group, descend(graph, gradient, { target, share: 1, stepSize }));
}

/** Compiles an update on its own: beside rates, weights, slots, anchors and corrections it takes the gradients `sum/<group>`. */
export function buildUpdateGraph(groups: readonly ParameterGroup[], options: UpdateOptions): Uint8Array {
  const graph = new GraphBuilder();
  const tensors = groups.map((group) => ({
    group,
    weights: groupInput(graph, 'weights', group),
    gradient: groupInput(graph, 'sum', group),
  }));
  outputUpdate(graph, options, tensors);
  return encodeOnnxModel(graph.build());
}

/** Gives a group's gradient out, as `gradient/<group>`, or as the rows `left/<group>` and `right/<group>` of a product. */
export function outputGradient(
  graph: GraphBuilder,
  { group, gradient }: Pick<GroupTensors, 'group' | 'gradient'>,
): readonly string[] {
  const give = (what: string, tensor: Tensor, shape: UpdatedGroup['shape']) => {
    graph.output(tensorName(what, group), tensor, { type: 'float32', shape });
    return tensorName(what, group);
  };
  if (typeof gradient === 'string') return [give('gradient', gradient, group.shape)];
  const [rows = 0, columns = 0] = group.shape;
  const count = `rows of ${group.name}`;
  return [
    give('left', graph.transpose(gradient.left, 1, 0), [rows, count]),
    give('right', gradient.right, [count, columns]),
  ];
}

/** Some rows of a group. */
const SLICE: UpdatedGroup = { name: 'slice', shape: ['rows', 'columns'], members: [] };

/**
 * Compiles the update of some rows of whichever group: beside rates it takes `weights/slice`, slots, anchors and
 * corrections, and `gradient/slice`, or of a product the rows of its left factor, `left`, and all of `right`.
 */
export function buildSliceUpdateGraph(options: UpdateOptions, isProduct: boolean): Uint8Array {
  const graph = new GraphBuilder();
  const gradient = isProduct
    ? {
        left: graph.transpose(graph.input('left', 'float32', ['rows', 'examples']), 1, 0),
        right: graph.input('right', 'float32', ['examples', 'columns']),
      }
    : groupInput(graph, 'gradient', SLICE);
  outputUpdate(graph, options, [{ group: SLICE, weights: groupInput(graph, 'weights', SLICE), gradient }]);
  return encodeOnnxModel(graph.build());
}

/** Whether each number of an update depends on its own weight, gradient and slots alone. */
export function fitsSlices(groups: readonly ParameterGroup[], optimizer: OptimizerSettings): boolean {
  const { clipGradientNorm, clipGradientGlobalNorm } = optimizer;
  if (clipGradientNorm !== undefined || clipGradientGlobalNorm !== undefined) return false;
  return groups.every(
    (group) =>
      !isRegularized(group) && group.members.every(({ parameter }) => parameter.constraint === undefined),
  );
}
