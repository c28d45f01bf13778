/** One training step as one ONNX graph: forward, cross-entropy, backward and optimizer. */

import { sizeOf } from '../../../core/weights.js';
import { GraphBuilder, type Tensor } from '../../../model/graph/graph-builder.js';
import { type Gradient, gradientTensor } from '../../../model/graph/layer-graph.js';
import type { ModelDescription } from '../../../model/model-description.js';
import { ModelError } from '../../../model/model-error.js';
import { logitOperations, planOperations } from '../../../model/operations.js';
import { classCount, modelParameters, type Parameter, requireTrainable } from '../../../model/parameters.js';
import { buildNetwork, type Network, type ParameterTensor, parameterKey } from './network.js';
import { encodeOnnxModel } from './onnx-model.js';
import { optimizerSlots } from './optimizer-graph.js';
import { groupParameters, isAlone, type ParameterGroup } from './parameter-groups.js';
import { groupInput, outputSum, outputUpdate, type UpdateOptions } from './update-graph.js';

/** What a compiled training step takes and gives beside its fixed names. */
export interface TrainingGraph {
  readonly bytes: Uint8Array;
  /** How the parameters are held; there is a tensor of weights, and of every slot, for each. */
  readonly groups: readonly ParameterGroup[];
  readonly slots: readonly string[];
  /** Whether it has the input `rowSeeds`. */
  readonly usesRowSeeds: boolean;
  /** Whether it has the inputs `anchor/<group>`. */
  readonly usesAnchor: boolean;
  /** Whether it has the inputs `correction/<group>`. */
  readonly usesCorrection: boolean;
  /** Batch statistics that it gives out, and whose moving averages they belong to. */
  readonly statistics: readonly {
    readonly output: string;
    readonly group: ParameterGroup;
    readonly offset: number;
    readonly length: number;
    readonly momentum: number;
  }[];
}

/** Settings of a compiled training step. */
export interface TrainingGraphOptions extends UpdateOptions {
  /** Examples of every batch, for a graph that takes no other number; some gradients are faster so. */
  readonly batchSize?: number | undefined;
  /** Channels of a block, for a graph on blocked images. */
  readonly blockSize?: number | undefined;
  /** For backends whose MaxPool does not tell where its maxima lie. */
  readonly withoutPoolIndices?: boolean | undefined;
  /** Instead of updating the weights, add their gradient to one that is given. */
  readonly addsUp?: boolean;
  /** Also give the flat gradient out, as `gradients`: for tests. */
  readonly withGradients?: boolean;
}

/** The symbolic batch axis. */
export const BATCH = 'batch';

/**
 * Compiles a training step. Inputs: `images` [batch, h, w, c], `labels` int32 [batch], `stepSize` [1], `exampleWeight`
 * [1] (1 / batch), `rowSeeds` uint32 [batch]; for each group of parameters `weights/<group>`, `<slot>/<group>`,
 * `anchor/<group>` and `correction/<group>`, shaped as the group. Outputs: `loss` and `correct` [], `next-weights/<group>` and
 * `next-<slot>/<group>`. A graph that adds up takes `sum/<group>` and gives `next-sum/<group>` instead, and knows no step
 * size, slots, anchors or corrections.
 *
 * @throws {ModelError} for a model that does not end in a softmax, or has what training would not respect
 */
export function buildTrainingGraph(
  description: ModelDescription,
  options: TrainingGraphOptions,
): TrainingGraph {
  requireTrainable(description);
  const operations = logitOperations(planOperations(description));
  if (operations === undefined) throw new ModelError('the last layer of the model must be a softmax');
  const parameters = modelParameters(description);
  const groups = groupParameters(parameters);

  const graph = new GraphBuilder();
  const images = graph.input('images', 'float32', [BATCH, ...description.inputShape]);
  const labels = graph.input('labels', 'int32', [BATCH]);
  const weights = groups.map((group) => groupInput(graph, 'weights', group));
  const stepSize = options.addsUp ? undefined : graph.input('stepSize', 'float32', [1]);
  const exampleWeight = graph.input('exampleWeight', 'float32', [1]);
  let rowSeeds: Tensor | undefined;

  const network = buildNetwork(graph, images, {
    training: true,
    batchSize: options.batchSize,
    blockSize: options.blockSize,
    withoutPoolIndices: options.withoutPoolIndices,
    inputShape: description.inputShape,
    operations,
    parameters: groups.flatMap((group, index) => unpack(graph, group, weights[index] as Tensor)),
    rowSeeds: () => {
      rowSeeds ??= graph.input('rowSeeds', 'uint32', [BATCH]);
      return rowSeeds;
    },
  });
  const logitGradient = crossEntropy(graph, {
    logits: network.output.tensor,
    labels,
    exampleWeight,
    classes: classCount(description),
  });
  network.backward(logitGradient);

  for (const [index, group] of groups.entries()) {
    const tensors = {
      group,
      weights: weights[index] as Tensor,
      gradient: groupGradient(graph, network, group),
    };
    if (stepSize === undefined) outputSum(graph, tensors);
    else outputUpdate(graph, options, { ...tensors, stepSize });
  }
  if (options.withGradients) outputGradients(graph, network, parameters);

  const statistics = describeStatistics(groups);
  for (const { output, length } of statistics) {
    const tensor = network.statistics.get(output) as Tensor;
    graph.output(output, tensor, { type: 'float32', shape: [length] });
  }
  return {
    bytes: encodeOnnxModel(graph.build()),
    groups,
    slots: optimizerSlots(options.optimizer),
    usesRowSeeds: rowSeeds !== undefined,
    usesAnchor: (options.proximal ?? 0) !== 0,
    usesCorrection: options.isCorrected ?? false,
    statistics,
  };
}

/** A group's tensor as the model's arrays. */
function unpack(graph: GraphBuilder, group: ParameterGroup, tensor: Tensor): readonly ParameterTensor[] {
  const { members } = group;
  const [first] = members;
  if (first !== undefined && isAlone(group)) return [{ ...first.parameter, tensor }];
  const parts = graph.opWithOutputs('Split', {
    inputs: [tensor, graph.integers(...members.map(({ length }) => length))],
    attributes: { axis: 0 },
    outputs: members.length,
  });
  return members.map(({ parameter }, index) => ({
    ...parameter,
    tensor: graph.reshape(parts[index] as Tensor, ...parameter.shape),
  }));
}

/** The gradient of a group, shaped as it is. */
function groupGradient(graph: GraphBuilder, network: Network, group: ParameterGroup): Gradient {
  const parameters = group.members.map(({ parameter }) => parameter);
  const [first] = parameters;
  if (first === undefined || !isAlone(group)) return flatGradients(graph, network, parameters);
  const gradient = network.gradients.get(parameterKey(first));
  if (gradient === undefined) throw new Error(`no gradient of ${group.name}`);
  return typeof gradient === 'string' ? graph.reshape(gradient, ...group.shape) : gradient;
}

/** All of these gradients one after the other; moving statistics have none: 0 leaves them alone whatever the optimizer. */
function flatGradients(graph: GraphBuilder, network: Network, parameters: readonly Parameter[]): Tensor {
  const parts = parameters.map((each) => {
    const gradient = network.gradients.get(parameterKey(each));
    if (gradient === undefined) return graph.constant(new Float32Array(sizeOf(each.shape)));
    return graph.reshape(gradientTensor(graph, gradient), -1);
  });
  return graph.op('Concat', parts, { axis: 0 });
}

/** Gives the gradient of the whole model out, flat. */
function outputGradients(graph: GraphBuilder, network: Network, parameters: readonly Parameter[]): void {
  const size = parameters.reduce((total, each) => total + sizeOf(each.shape), 0);
  const gradients = flatGradients(graph, network, parameters);
  graph.output('gradients', gradients, { type: 'float32', shape: [size] });
}

/** Adds the outputs `loss` and `correct`; returns the gradient of the mean loss at the logits. */
function crossEntropy(
  graph: GraphBuilder,
  {
    logits,
    labels,
    exampleWeight,
    classes,
  }: {
    readonly logits: Tensor;
    readonly labels: Tensor;
    readonly exampleWeight: Tensor;
    readonly classes: number;
  },
): Tensor {
  // In operators that WebGPU has, too: LogSoftmax, OneHot, and ArgMax (which gives int64) would run on the processor.
  const rows = graph.integers(-1);
  const target = graph.reshape(graph.op('Cast', [labels], { to: 1 }), -1, 1);
  const classNumbers = graph.constant(Float32Array.from({ length: classes }, (_, index) => index));
  const expected = graph.op('Cast', [graph.op('Equal', [classNumbers, target])], { to: 1 });
  const largest = graph.op('ReduceMax', [logits, rows], { keepdims: 1 });
  const shifted = graph.op('Sub', [logits, largest]);
  const sum = graph.op('ReduceSum', [graph.op('Exp', [shifted]), rows], { keepdims: 1 });
  const logProbabilities = graph.op('Sub', [shifted, graph.op('Log', [sum])]);
  const likelihood = graph.sum(graph.op('Mul', [expected, logProbabilities]), 0, 1);
  const loss = graph.op('Neg', [graph.op('Mul', [likelihood, graph.reshape(exampleWeight)])]);
  graph.output('loss', loss, { type: 'float32', shape: [] });
  const candidates = graph.op('Where', [
    graph.op('Equal', [logits, largest]),
    classNumbers,
    graph.scalar(classes),
  ]);
  const predicted = graph.op('ReduceMin', [candidates, rows], { keepdims: 1 });
  const right = graph.op('Cast', [graph.op('Equal', [predicted, target])], { to: 1 });
  graph.output('correct', graph.sum(right, 0, 1), { type: 'float32', shape: [] });
  const difference = graph.op('Sub', [graph.op('Exp', [logProbabilities]), expected]);
  return graph.op('Mul', [difference, exampleWeight]);
}

function describeStatistics(groups: readonly ParameterGroup[]): TrainingGraph['statistics'] {
  return groups.flatMap((group) =>
    group.members.flatMap(({ parameter, offset, length }) => {
      const { momentum } = parameter;
      return momentum === undefined
        ? []
        : [{ output: parameterKey(parameter), group, offset, length, momentum }];
    }),
  );
}
