/** Chains a model's operations in a graph, forward and back. */
import { applyToPlain } from '../../../model/graph/blocked-layout.js';
import type { GraphBuilder, Tensor } from '../../../model/graph/graph-builder.js';
import type { AppliedLayer, Gradient, LayerContext, LayerValue } from '../../../model/graph/layer-graph.js';
import { type Layer, moduleOf } from '../../../model/layers/registry.js';
import { isActivation } from '../../../model/operations.js';
import type { Parameter } from '../../../model/parameters.js';

/** The tensors that stand for a model's parameters in a graph, in order. */
export interface ParameterTensor extends Parameter {
  readonly tensor: Tensor;
}

/** Settings of a network under construction. */
interface NetworkOptions {
  readonly training: boolean;
  /** Examples of every batch, where it is the same number. */
  readonly batchSize?: number | undefined;
  /** Channels of a block, where images may be blocked (see `lib/model/graph/blocked-layout.ts`). */
  readonly blockSize?: number | undefined;
  /** For backends whose MaxPool does not tell where its maxima lie. */
  readonly withoutPoolIndices?: boolean | undefined;
  /** Shape of one input in Keras' order: `[h, w, c]` or `[features]`. */
  readonly inputShape: readonly number[];
  readonly operations: readonly Layer[];
  readonly parameters: readonly ParameterTensor[];
  readonly rowSeeds: () => Tensor;
}

/** A network in a graph. */
export interface Network {
  readonly output: LayerValue;
  /** Gradients by `layer/role` once `backward` has run. */
  readonly gradients: ReadonlyMap<string, Gradient>;
  /** Batch statistics by `layer/role`. */
  readonly statistics: ReadonlyMap<string, Tensor>;
  /** Adds the way back from the gradient at the output to every trainable parameter. */
  backward(outputGradient: Tensor): void;
}

/** The key of a parameter: unique in its model. */
export const parameterKey = ({ layer, role }: Pick<Parameter, 'layer' | 'role'>) => `${layer}/${role}`;

/** Adds the forward nodes of `operations` on `images` (`[n, h, w, c]`). */
export function buildNetwork(graph: GraphBuilder, images: Tensor, options: NetworkOptions): Network {
  const tensors = new Map(options.parameters.map((each) => [parameterKey(each), each.tensor]));
  const gradients = new Map<string, Gradient>();
  const statistics = new Map<string, Tensor>();
  let value = channelsFirst(graph, images, options.inputShape);
  const applied = options.operations.map((layer, index) => {
    const step = applyLayer(layer, value, {
      graph,
      training: options.training,
      salt: index,
      batchSize: options.batchSize,
      blockSize: options.blockSize,
      withoutPoolIndices: options.withoutPoolIndices ?? false,
      followedByRelu: beginsWithRelu(options.operations.slice(index + 1)),
      rowSeeds: options.rowSeeds,
      parameter: (role) => {
        const tensor = tensors.get(parameterKey({ layer: layer.name, role }));
        if (tensor === undefined) throw new Error(`no parameter ${role} of layer ${layer.name}`);
        return tensor;
      },
      gradient: (role, gradient) => gradients.set(parameterKey({ layer: layer.name, role }), gradient),
      batchStatistic: (role, tensor) => statistics.set(parameterKey({ layer: layer.name, role }), tensor),
    });
    value = step.output;
    return step;
  });
  const trainable = new Set(options.parameters.filter((each) => each.trainable).map((each) => each.layer));
  const firstTrainable = options.operations.findIndex((layer) => trainable.has(layer.name));
  return {
    output: value,
    gradients,
    statistics,
    backward(outputGradient) {
      let gradient: Tensor | undefined = outputGradient;
      for (let at = applied.length - 1; at >= firstTrainable && firstTrainable >= 0; at--) {
        gradient = applied[at]?.backward(gradient as Tensor, at > firstTrainable);
      }
    },
  };
}

function channelsFirst(graph: GraphBuilder, images: Tensor, inputShape: readonly number[]): LayerValue {
  const [height = 0, width = 0, channels = 0] = inputShape;
  if (inputShape.length === 1) return { tensor: images, shape: inputShape };
  const shape = [channels, height, width];
  if (channels === 1) return { tensor: graph.reshape(images, -1, ...shape), shape };
  return { tensor: graph.transpose(images, 0, 3, 1, 2), shape };
}

function applyLayer(layer: Layer, input: LayerValue, context: LayerContext): AppliedLayer {
  const module = moduleOf(layer);
  const { blockSize } = context;
  if (blockSize !== undefined && module.blocked?.accepts(layer, input, blockSize)) {
    return module.blocked.forward(layer, input, { context, blockSize });
  }
  // It leaves blocks where a layer does not know them.
  return input.blocked
    ? applyToPlain(context.graph, input, (plain) => module.forward(layer, plain, context))
    : module.forward(layer, input, context);
}

/** Whether the first of these operations is a relu, or one with a relu behind it that may as well come before. */
function beginsWithRelu([first, second]: readonly Layer[]): boolean {
  const isRelu = (layer: Layer | undefined) => isActivation(layer, 'relu');
  return (
    isRelu(first) || (first !== undefined && moduleOf(first).commutesWithRelu === true && isRelu(second))
  );
}
