/** One training step as one ONNX graph: forward, cross-entropy, backward and optimizer. */
import { sizeOf } from '../../federation/weights.js';
import type { OptimizerSettings } from '../engine.js';
import type { ModelDescription } from '../model-description.js';
import { logitOperations, planOperations } from '../operations.js';
import { classCount, ModelError, modelParameters, type Parameter } from '../parameters.js';
import { GraphBuilder, type Tensor } from './graph-builder.js';
import { buildNetwork, type ParameterTensor, parameterKey } from './network.js';
import { addProximalTerm, applyOptimizer, optimizerSlots } from './optimizer-graph.js';

/** What a compiled training step takes and gives beside its fixed names. */
export interface TrainingGraph {
  readonly bytes: Uint8Array;
  /** Elements of all parameters together: the length of `weights` and of every slot. */
  readonly size: number;
  readonly slots: readonly string[];
  /** Whether it has the input `rowSeeds`. */
  readonly usesRowSeeds: boolean;
  /** Whether it has the input `anchor`. */
  readonly usesAnchor: boolean;
  /** Batch statistics that it gives out, and where their moving averages lie among the weights. */
  readonly statistics: readonly {
    readonly output: string;
    readonly offset: number;
    readonly length: number;
    readonly momentum: number;
  }[];
}

/** Settings of a compiled training step. */
export interface TrainingGraphOptions {
  readonly optimizer: OptimizerSettings;
  /** μ of the proximal term; without one where it is 0. */
  readonly proximal?: number | undefined;
  /** Channels of a block, for a graph on blocked images. */
  readonly blockSize?: number | undefined;
  /** For backends whose MaxPool does not tell where its maxima lie. */
  readonly withoutPoolIndices?: boolean | undefined;
  /** Also give the flat gradient out, as `gradients`: for tests. */
  readonly withGradients?: boolean;
}

/** The symbolic batch axis. */
export const BATCH = 'batch';

/**
 * Compiles a training step. Inputs: `images` [batch, h, w, c], `labels` int32 [batch], `weights` and slots [size],
 * `stepSize` [1], `exampleWeight` [1] (1 / batch), `rowSeeds` uint32 [batch], `anchor` [size]. Outputs: `loss` and `correct` [],
 * `nextWeights` and `next-<slot>` [size].
 *
 * @throws {ModelError} for a model that does not end in a softmax, or has what training would not respect
 */
export function buildTrainingGraph(
  description: ModelDescription,
  options: TrainingGraphOptions,
): TrainingGraph {
  const [obstacle] = description.trainingObstacles ?? [];
  if (obstacle !== undefined)
    throw new ModelError(`${obstacle}, which the ONNX engine's training does not respect`);
  const operations = logitOperations(planOperations(description));
  if (operations === undefined) throw new ModelError('the last layer of the model must be a softmax');
  const parameters = modelParameters(description);
  const size = parameters.reduce((total, each) => total + sizeOf(each.shape), 0);
  const slots = optimizerSlots(options.optimizer);

  const graph = new GraphBuilder();
  const images = graph.input('images', 'float32', [BATCH, ...description.inputShape]);
  const labels = graph.input('labels', 'int32', [BATCH]);
  const weights = graph.input('weights', 'float32', [size]);
  const slotInputs = slots.map((slot) => graph.input(slot, 'float32', [size]));
  const stepSize = graph.input('stepSize', 'float32', [1]);
  const exampleWeight = graph.input('exampleWeight', 'float32', [1]);
  let rowSeeds: Tensor | undefined;

  const network = buildNetwork(graph, images, {
    training: true,
    blockSize: options.blockSize,
    withoutPoolIndices: options.withoutPoolIndices,
    inputShape: description.inputShape,
    operations,
    parameters: unpack(graph, weights, parameters),
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

  const gradients = graph.op(
    'Concat',
    parameters.map((each) => {
      const gradient = network.gradients.get(parameterKey(each));
      // Moving statistics have none: 0 leaves them alone whatever the optimizer.
      if (gradient === undefined) return graph.constant(new Float32Array(sizeOf(each.shape)));
      return graph.reshape(gradient, -1);
    }),
    { axis: 0 },
  );
  const { proximal = 0 } = options;
  const anchor = proximal === 0 ? undefined : graph.input('anchor', 'float32', [size]);
  const next = applyOptimizer(graph, options.optimizer, {
    weights,
    gradients:
      anchor === undefined
        ? gradients
        : addProximalTerm(graph, {
            weights,
            anchor,
            gradients,
            trainable: trainableMask(graph, parameters),
            strength: proximal,
          }),
    slots: slotInputs,
    stepSize,
  });
  const flat = { type: 'float32', shape: [size] } as const;
  graph.output('nextWeights', next.weights, flat);
  for (const [index, slot] of slots.entries())
    graph.output(`next-${slot}`, next.slots[index] as Tensor, flat);
  if (options.withGradients) graph.output('gradients', gradients, flat);

  const statistics = describeStatistics(description).map((each) => {
    graph.output(each.output, network.statistics.get(each.output) as Tensor, {
      type: 'float32',
      shape: [each.length],
    });
    return each;
  });
  return {
    bytes: graph.build(),
    size,
    slots,
    usesRowSeeds: rowSeeds !== undefined,
    usesAnchor: anchor !== undefined,
    statistics,
  };
}

/** Splits the flat vector into the model's arrays. */
function unpack(
  graph: GraphBuilder,
  weights: Tensor,
  parameters: ReturnType<typeof modelParameters>,
): readonly ParameterTensor[] {
  const sizes = parameters.map((each) => sizeOf(each.shape));
  const parts = graph.opWithOutputs('Split', {
    inputs: [weights, graph.integers(...sizes)],
    attributes: { axis: 0 },
    outputs: sizes.length,
  });
  return parameters.map((each, index) => ({
    ...each,
    tensor: graph.reshape(parts[index] as Tensor, ...each.shape),
  }));
}

/** 1 for each element of a trainable parameter, 0 for each moving statistic; undefined when all are trainable. */
function trainableMask(graph: GraphBuilder, parameters: readonly Parameter[]): Tensor | undefined {
  if (parameters.every(({ trainable }) => trainable)) return undefined;
  const mask = parameters.flatMap(({ shape, trainable }) => Array(sizeOf(shape)).fill(trainable ? 1 : 0));
  return graph.constant(Float32Array.from(mask));
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

function describeStatistics(description: ModelDescription): TrainingGraph['statistics'] {
  let offset = 0;
  return modelParameters(description).flatMap((each) => {
    const entry = { output: parameterKey(each), offset, length: sizeOf(each.shape) };
    offset += entry.length;
    const layer = description.layers.find(({ name }) => name === each.layer);
    if (each.trainable || layer?.kind !== 'batchNormalization') return [];
    return [{ ...entry, momentum: layer.momentum }];
  });
}
