/** One training step as one ONNX graph: forward, loss, backward and optimizer. */

import type { RandomStream } from '../../../core/random.js';
import { sizeOf } from '../../../core/weights.js';
import type { Losses, OutputLoss } from '../../../federation/loss.js';
import { GraphBuilder, type Tensor } from '../../../model/graph/graph-builder.js';
import type { ModelDescription } from '../../../model/model-description.js';
import { planOperations } from '../../../model/operations.js';
import { modelParameters, type Parameter, requireTrainable } from '../../../model/parameters.js';
import { add } from '../../../model/primitives/arithmetic.js';
import { reshape } from '../../../model/primitives/shaping.js';
import { BATCH_AXIS, type Gradient, gradients, gradientTensor } from '../../../model/primitives/value.js';
import { lossOperations, outputLosses } from '../../../model/tasks/losses.js';
import type { Batch } from '../../engine.js';
import type { Feeds, TensorConstructor } from '../runtime.js';
import { BATCH, buildNetwork, modelInputs, parameterKey, type ValuedParameter } from './network.js';
import { encodeOnnxModel } from './onnx-model.js';
import {
  groupInput,
  isRegularized,
  outputUpdate,
  splitGroup,
  type UpdateOptions,
} from './optimizer-graph.js';
import { outputLoss } from './output-loss.js';
import { groupParameters, isAlone, type ParameterGroup, tensorName } from './parameter-groups.js';
import { outputGradient, outputSum } from './separate-update.js';

/** What a compiled training step takes and gives beside its fixed names. */
export interface TrainingGraph {
  readonly bytes: Uint8Array;
  /** How the parameters are held; there is a tensor of weights for each, and of every slot for those that are trained. */
  readonly groups: readonly ParameterGroup[];
  /** The outputs that are gradients, see `outputGradient`. */
  readonly gradients: readonly string[];
  /** What the inputs `target/0`, … are, one for each output of the model; without the batch axis. */
  readonly targets: readonly { readonly type: 'int32' | 'float32'; readonly shape: readonly number[] }[];
  /** Whether it has the output `correct`. */
  readonly countsCorrect: boolean;
  /** Whether it has the input `rowSeeds`. */
  readonly usesRowSeeds: boolean;
  /** Whether it has the input `batchShare`. */
  readonly usesBatchShare: boolean;
  /** Whether it has the output `penalty`, which belongs to the loss. */
  readonly hasPenalty: boolean;
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
  /** By default the loss that goes with the model's last layer. */
  readonly loss?: Losses | undefined;
  /** Whether each example has a weight of its own. */
  readonly isWeighted?: boolean | undefined;
  /** Examples of every batch, for a graph that takes no other number; some gradients are faster so. */
  readonly batchSize?: number | undefined;
  /** Channels of a block, for a graph on blocked images. */
  readonly blockSize?: number | undefined;
  /** For backends whose MaxPool does not tell where its maxima lie. */
  readonly withoutPoolIndices?: boolean | undefined;
  /** What becomes of the gradient: an update of the weights by default; it is added to one that is given; or given out. */
  readonly gradient?: 'update' | 'sum' | 'output';
  /** Also give the gradients out, as `gradients/<group>`, for comparisons. */
  readonly withGradients?: boolean;
}

/**
 * Compiles a training step. Inputs: `input/0`, … [batch, …] in the model's order, `target/0`, … as the loss of each
 * output takes it (labels int32 [batch], or numbers [batch, outputs]), the optimizer's rates [1], `exampleWeight` [1]
 * (1 / batch) or [batch, 1], `batchShare` [1] (1 / batch) and `rowSeeds` uint32 [batch] where layers ask for them; for each group of parameters `weights/<group>`, and where it is trained `<slot>/<group>`, `anchor/<group>` and
 * `correction/<group>`, shaped as the group. Outputs: `loss`, `penalty` of regularizers, and where the loss has it `correct` [],
 * `next-weights/<group>` and `next-<slot>/<group>`. A graph that adds up takes `sum/<group>` and gives `next-sum/<group>`
 * instead, one that gives gradients out these; both know no rates, slots, anchors or corrections.
 *
 * @throws {ModelError} for a model that does not end as the loss asks, or has what training would not respect
 */
export function buildTrainingGraph(
  description: ModelDescription,
  options: TrainingGraphOptions,
): TrainingGraph {
  requireTrainable(description);
  const losses = outputLosses(description, options.loss);
  const plan = lossOperations(planOperations(description), losses);
  const parameters = modelParameters(description);
  const groups = groupParameters(parameters);

  const graph = new GraphBuilder();
  const inputs = modelInputs(graph, description);
  const weights = groups.map((group) => groupInput(graph, 'weights', group));
  const exampleWeight = graph.input('exampleWeight', 'float32', options.isWeighted ? [BATCH, 1] : [1]);
  let rowSeeds: Tensor | undefined;
  let batchShare: Tensor | undefined;

  const values = groups.flatMap((group, index) => unpack(graph, group, weights[index] as Tensor));
  const network = buildNetwork(inputs, {
    training: true,
    batchSize: options.batchSize,
    blockSize: options.blockSize,
    withoutPoolIndices: options.withoutPoolIndices ?? false,
    plan,
    parameters: values,
    rowSeeds: () => {
      rowSeeds ??= graph.input('rowSeeds', 'uint32', [BATCH]);
      return rowSeeds;
    },
    batchShare: () => {
      batchShare ??= graph.input('batchShare', 'float32', [1]);
      return { graph, tensor: batchShare, shape: [1] };
    },
  });
  const weighting = { graph, tensor: exampleWeight, shape: options.isWeighted ? [BATCH_AXIS, 1] : [1] };
  const parts = network.outputs.map((output, at) =>
    outputLoss(output, { settings: losses[at] as OutputLoss, at, weights: weighting }),
  );
  const penalties = network.penalties.map((term) => reshape(term, []));
  const loss = [...parts.map((part) => part.loss), ...penalties].reduce(add);
  graph.output('loss', loss.tensor, { type: 'float32', shape: [] });
  // Of several outputs, no example is simply right.
  const correct = parts.length === 1 ? parts[0]?.correct?.() : undefined;
  if (correct !== undefined) graph.output('correct', correct, { type: 'float32', shape: [] });
  const trained = values.filter(({ trainable }) => trainable);
  const slopes = gradients(
    loss,
    graph.scalar(1),
    trained.map((each) => each.value),
  );
  const byParameter: Gradients = new Map(
    trained.map((each, index) => [parameterKey(each), slopes[index]] as const),
  );

  const changed = groups.flatMap((group, index) => {
    if (!group.isTrained) return [];
    return [{ group, weights: weights[index] as Tensor, gradient: groupGradient(graph, byParameter, group) }];
  });
  const { gradient: purpose = 'update' } = options;
  if (purpose === 'update') outputUpdate(graph, options, changed);
  if (purpose === 'sum') for (const each of changed) outputSum(graph, each);
  const given = purpose === 'output' ? changed.flatMap((each) => outputGradient(graph, each)) : [];
  for (const { group, gradient: each } of options.withGradients ? changed : [])
    graph.output(tensorName('gradients', group), gradientTensor(graph, each), {
      type: 'float32',
      shape: group.shape,
    });

  const statistics = describeStatistics(groups);
  for (const { output, length } of statistics) {
    const tensor = network.statistics.get(output) as Tensor;
    graph.output(output, tensor, { type: 'float32', shape: [length] });
  }
  return {
    bytes: encodeOnnxModel(graph.build()),
    groups,
    gradients: given,
    targets: parts.map(({ target }) => target),
    countsCorrect: correct !== undefined,
    usesRowSeeds: rowSeeds !== undefined,
    usesBatchShare: batchShare !== undefined,
    hasPenalty: purpose === 'update' && changed.some(({ group }) => isRegularized(group)),
    usesAnchor: (options.proximal ?? 0) !== 0,
    usesCorrection: options.isCorrected ?? false,
    statistics,
  };
}

/** A group's tensor as the model's arrays. */
function unpack(graph: GraphBuilder, group: ParameterGroup, tensor: Tensor): readonly ValuedParameter[] {
  const { members } = group;
  const [first] = members;
  const valued = (parameter: Parameter, own: Tensor): ValuedParameter => ({
    ...parameter,
    value: { graph, tensor: own, shape: parameter.shape },
  });
  if (first !== undefined && isAlone(group)) return [valued(first.parameter, tensor)];
  const parts = splitGroup(graph, tensor, group);
  return members.map(({ parameter }, index) =>
    valued(parameter, graph.reshape(parts[index] as Tensor, ...parameter.shape)),
  );
}

/** Those of the loss, by parameter. */
type Gradients = ReadonlyMap<string, Gradient | undefined>;

/** The gradient of a group, shaped as it is. */
function groupGradient(graph: GraphBuilder, found: Gradients, group: ParameterGroup): Gradient {
  const parameters = group.members.map(({ parameter }) => parameter);
  const [first] = parameters;
  if (first === undefined || !isAlone(group)) return flatGradients(graph, found, parameters);
  return found.get(parameterKey(first)) ?? zeros(graph, first);
}

/** All of these gradients one after the other; what is not trained has none: 0. */
function flatGradients(graph: GraphBuilder, found: Gradients, parameters: readonly Parameter[]): Tensor {
  const parts = parameters.map((each) => {
    const gradient = found.get(parameterKey(each)) ?? zeros(graph, each);
    return graph.reshape(gradientTensor(graph, gradient), -1);
  });
  return graph.op('Concat', parts, { axis: 0 });
}

/** Of moving statistics, and of what the loss does not depend on: 0 leaves them alone whatever the optimizer. */
const zeros = (graph: GraphBuilder, { shape }: Parameter): Tensor =>
  graph.constant(new Float32Array(sizeOf(shape)), shape);

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

/** Where a batch goes. */
interface BatchPlace {
  readonly Tensor: TensorConstructor;
  readonly description: ModelDescription;
  readonly graph: Pick<TrainingGraph, 'targets' | 'usesBatchShare'>;
  /** Examples that one part may have. */
  readonly largest: number;
  /** Where the seeds of random masks come from, if the step has any. */
  readonly random: RandomStream | undefined;
}

/** What a step reads of a batch, in parts of at most `largest` examples, and the seeds of its masks if it has any. */
export function batchFeeds(
  { count: all, inputs, targets, exampleWeights }: Batch,
  { Tensor, description, graph, random, ...place }: BatchPlace,
): readonly Feeds[] {
  const largest = Math.min(all, place.largest);
  const shares = exampleWeights?.map((weight) => weight / all);
  const evenShare = new Tensor('float32', Float32Array.of(1 / all), [1]);
  return Array.from({ length: Math.ceil(all / largest) }, (_, part) => {
    const start = part * largest;
    const end = Math.min(all, start + largest);
    const count = end - start;
    return {
      ...Object.fromEntries(
        description.inputs.map(({ name, shape }, at) => {
          const values = inputs[at];
          if (values === undefined) throw new RangeError(`a batch without input ${name}`);
          const size = sizeOf(shape);
          const own = values.subarray(start * size, end * size);
          return [`input/${at}`, new Tensor('float32', own, [count, ...shape])];
        }),
      ),
      ...Object.fromEntries(
        graph.targets.map(({ shape }, at) => {
          const values = targets[at];
          if (values === undefined) throw new RangeError('a batch without a target');
          const size = sizeOf(shape);
          const [from, to] = [start * size, end * size];
          const tensor =
            values instanceof Int32Array
              ? new Tensor('int32', values.subarray(from, to), [count, ...shape])
              : new Tensor('float32', values.subarray(from, to), [count, ...shape]);
          return [`target/${at}`, tensor];
        }),
      ),
      exampleWeight: shares ? new Tensor('float32', shares.subarray(start, end), [count, 1]) : evenShare,
      ...(graph.usesBatchShare ? { batchShare: evenShare } : {}),
      ...(random === undefined
        ? {}
        : {
            rowSeeds: new Tensor(
              'uint32',
              Uint32Array.from({ length: count }, () => random.uint32()),
              [count],
            ),
          }),
    };
  });
}
