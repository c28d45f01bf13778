/** Chains a model's operations in a graph, forward and back. */
import type { Layer } from '../../model/model-description.js';
import { ModelError, type Parameter } from '../parameters.js';
import { applyBlockedConv2d, canBlockConv2d } from './blocked/conv2d.js';
import { applyToPlain, flattenBlocked } from './blocked/layout.js';
import { applyBlockedMaxPooling, canBlockMaxPooling } from './blocked/max-pooling.js';
import type { Gradient } from './gradient.js';
import type { GraphBuilder, Tensor } from './graph-builder.js';
import type { AppliedLayer, LayerContext, LayerValue } from './layer-graph.js';
import { applyActivation } from './layers/activation.js';
import { applyBatchNormalization } from './layers/batch-normalization.js';
import { applyConv2d } from './layers/conv2d.js';
import { applyDense, applyFlatten } from './layers/dense.js';
import { applyDropout } from './layers/dropout.js';
import { applyAveragePooling, applyGlobalAveragePooling, applyMaxPooling } from './layers/pooling.js';

/** The tensors that stand for a model's parameters in a graph, in order. */
export interface ParameterTensor extends Parameter {
  readonly tensor: Tensor;
}

/** Settings of a network under construction. */
export interface NetworkOptions {
  readonly training: boolean;
  /** Examples of every batch, where it is the same number. */
  readonly batchSize?: number | undefined;
  /** Channels of a block, where images may be blocked (see `blocked/layout.ts`). */
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
  if (context.blockSize === undefined) return applyPlainLayer(layer, input, context);
  return applyBlockedLayer(layer, input, { context, blockSize: context.blockSize });
}

/** Stays in blocks where a layer knows them, and leaves them where it does not. */
function applyBlockedLayer(
  layer: Layer,
  input: LayerValue,
  blocking: { readonly context: LayerContext; readonly blockSize: number },
): AppliedLayer {
  const { context, blockSize } = blocking;
  if (layer.kind === 'conv2d' && canBlockConv2d(layer, input, blockSize)) {
    return applyBlockedConv2d(layer, input, blocking);
  }
  if (!input.blocked) return applyPlainLayer(layer, input, context);
  if (layer.kind === 'maxPooling2d' && canBlockMaxPooling(layer, input)) {
    return applyBlockedMaxPooling(layer, input, blocking);
  }
  if (layer.kind === 'flatten') return flattenBlocked(context.graph, input);
  // Element by element, the order does not matter.
  if (layer.kind === 'activation' && layer.activation === 'relu')
    return applyPlainLayer(layer, input, context);
  return applyToPlain(context.graph, input, (plain) => applyPlainLayer(layer, plain, context));
}

function applyPlainLayer(layer: Layer, input: LayerValue, context: LayerContext): AppliedLayer {
  switch (layer.kind) {
    case 'conv2d':
      return applyConv2d(layer, input, context);
    case 'maxPooling2d':
      return applyMaxPooling(layer, input, context);
    case 'averagePooling2d':
      return applyAveragePooling(layer, input, context);
    case 'globalAveragePooling2d':
      return applyGlobalAveragePooling(input, context);
    case 'flatten':
      return applyFlatten(input, context);
    case 'dense':
      return applyDense(layer, input, context);
    case 'dropout':
      return applyDropout(layer, input, context);
    case 'activation':
      return applyActivation(layer.activation, input, context);
    case 'batchNormalization':
      return applyBatchNormalization(layer, input, context);
    case 'foreign':
      throw new ModelError(layer.reason);
  }
}

/** Whether the first of these operations is a relu, or a max pool with a relu behind it. */
function beginsWithRelu([first, second]: readonly Layer[]): boolean {
  const isRelu = (layer: Layer | undefined) => layer?.kind === 'activation' && layer.activation === 'relu';
  return isRelu(first) || (first?.kind === 'maxPooling2d' && isRelu(second));
}
