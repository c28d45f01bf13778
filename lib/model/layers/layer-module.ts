/** What a layer is: one module tells Keras files, shapes, graphs, engines and docs all that they need to know of it. */
import type { Tensor } from '../graph/graph-builder.js';
import type { ConvFormulation } from '../primitives/convolution.js';
import type { PoolFormulation } from '../primitives/pooling.js';
import type { Value } from '../primitives/value.js';
import type { LayerTraining } from './layer-training.js';
import type { KerasClass } from './settings.js';

/** A layer of whatever kind. */
export interface NamedLayer {
  readonly kind: string;
  readonly name: string;
  readonly training?: LayerTraining;
}

/** The layers inside of a layer, which are fields of it. */
export const innerLayers = (layer: object): readonly NamedLayer[] =>
  Object.values(layer).filter((value) => typeof value === 'object' && value !== null && 'kind' in value);

/**
 * Values of a new array, as Keras draws them: Glorot's are for kernels `[…window, in, out]`, orthogonal ones for those
 * between states of a recurrent layer, uniform ones (±0.05) for embeddings; `forget-gate-ones` is for the bias of an
 * LSTM's four gates.
 */
type InitialValues = 'glorot-uniform' | 'orthogonal' | 'uniform' | 'forget-gate-ones' | 'zeros' | 'ones';

/** One parameter array of a layer. */
export interface LayerParameter {
  /** What it is in its layer, and the end of its name: `kernel`, `bias`. */
  readonly role: string;
  /** As in Keras' layout. */
  readonly shape: readonly number[];
  /** How it begins in a new model. */
  readonly initial: InitialValues;
  /**
   * Given for a moving statistic of the batch, which no gradient moves: the share of the old value that a step keeps.
   * The layer's forward pass reports the batch's.
   */
  readonly momentum?: number;
  /** What the layer asks that it belongs to, where that is one inside of another. */
  readonly training?: LayerTraining;
}

/** The shapes of the inputs of a call; most layers have one input. */
export type InputShapes = readonly [readonly number[], ...(readonly number[])[]];

/**
 * All that there is to say of a layer. Shapes are without the batch axis, channels last: `[h, w, c]` or `[features]`.
 * A layer with a setting `activation` does its linear part only: the activation becomes a layer of its own.
 */
export interface LayerModule<L extends NamedLayer = NamedLayer> {
  readonly kind: L['kind'];
  /** The classes of Keras that are read as this layer; it is written as the first. */
  readonly keras: readonly KerasClass[];

  /** How many inputs a call has, at least and at most; one where it does not say. */
  readonly inputCount?: readonly [fewest: number, most: number];
  /** @throws {ModelError} for an input that the layer does not take */
  outputShape(layer: L, ...inputs: InputShapes): readonly number[];
  /** In Keras' order; without it the layer has none. @throws {ModelError} */
  parameters?(layer: L, ...inputs: InputShapes): readonly LayerParameter[];
  /** The forward pass, in the operators of `lib/model/primitives`: the gradients follow. Shapes are in Keras' order. */
  forward(layer: L, inputs: readonly [Value, ...Value[]], context: LayerContext): Value;
  /** Whether the layer may begin to use blocks of this size (see `Layout`), whatever comes in. */
  beginsBlocks?(layer: L, blockSize: number): boolean;
  /** A setting of this layer that tf.layers 4.22 has not, in words; undefined where it has them all. */
  notInTensorflow?(layer: L): string | undefined;
  /** What of it TensorFlow.js can predict with and not train, in words; undefined where there is nothing. */
  notTrainedByTensorflow?(layer: L): string | undefined;
  /** Corrects what the layer of tf.layers 4.22 does otherwise than Keras. */
  correctTensorflow?(layer: L, place: TensorflowPlace<L>): void;

  /** The activation that the layer is, for layers whose settings may make them one. */
  asActivation?(layer: L): 'relu' | 'relu6' | undefined;
  /** The layer and the activation that it ends in apart, where this is not its own setting `activation`. */
  apart?(layer: L): { readonly layer: L; readonly activation: string } | undefined;
  /** max(f(z)) = f(max(z)) for a rising f, so that a relu before this layer may as well come after it. */
  readonly commutesWithRelu?: true;
  /** What its inputs, whole numbers from 0, are all below; without it, they are any numbers. */
  inputBelow?(layer: L): number;
  /** Whether it says which elements of a sequence count: `forward` gives a value with a mask. */
  masks?(layer: L): boolean;
  /** What becomes of the mask of its input, as in Keras; where nothing is said, the layer takes none. */
  maskBehind?(layer: L): 'kept' | 'dropped' | undefined;
  /** Changes the shape, and no element. */
  readonly onlyReshapes?: true;
  /** What two of them are as one, where nothing but a reshape lies between. */
  merge?(earlier: L, later: L): L;
  /** Whether it draws random numbers in training: they are those of an example. */
  drawsNumbers?(layer: L): boolean;
  /** The output of an example depends on the others of its batch: a batch cannot be run in parts. */
  readonly mixesExamples?: true;
}

/** What layers draw from while they build. */
export interface LayerContext extends ConvFormulation, PoolFormulation {
  /** False for prediction: dropout does nothing, batch normalisation uses its moving statistics. */
  readonly training: boolean;
  /** Tells apart the random numbers of a network's layers. */
  readonly salt: number;
  /** The current value of a parameter of the layer under construction, e.g. `kernel`. */
  parameter(role: string): Value;
  /** Gives a batch statistic, shaped as its moving one, out of the graph; the session folds it into that. */
  batchStatistic(role: string, tensor: Tensor): void;
  /** Adds a scalar to the loss. */
  penalty(value: Value): void;
  /** 1 over the number of the batch's examples, `[1]`. */
  batchShare(): Value;
  /** One random word per example and step, `[n]` uint32: where dropout masks come from. */
  readonly rowSeeds: () => Tensor;
}

/**
 * Where a layer of tf.layers stands. The library's own types are left out: whoever compiles against ours need not have
 * installed it.
 */
interface TensorflowPlace<L> {
  /** The library, as `import * as tf` gives it. */
  readonly tf: unknown;
  /** The built layer, a `tf.layers.Layer`. */
  readonly built: unknown;
  /** The layer as it is compiled, see `planOperations`; undefined where it became part of another one. */
  readonly planned: L | undefined;
  /** Tells apart the random numbers of a network's layers, as `LayerContext.salt`. */
  readonly salt: number;
  /** One random word for each example of the current training step. */
  rowSeeds(): Uint32Array;
}
