/** A Keras-style Sequential model as data: its layers and their settings, without weights. */

/** Element-wise functions, except softmax, which is over the last axis. */
export type Activation = 'linear' | 'relu' | 'softmax' | 'sigmoid' | 'tanh';

/** How a convolution or a pool treats the border: `valid` drops it, `same` pads with zeros as TensorFlow does. */
export type Padding = 'valid' | 'same';

/** Height and width of a window or a step, in pixels. */
export type Extent = readonly [height: number, width: number];

/** One layer; `name` is unique in its model and names its weights. */
export type Layer =
  | Conv2dLayer
  | Pooling2dLayer
  | DenseLayer
  | DropoutLayer
  | ActivationLayer
  | BatchNormalizationLayer
  | ForeignLayer
  | { readonly kind: 'globalAveragePooling2d' | 'flatten'; readonly name: string };

/** Kernel `[kh, kw, in, filters]`, bias `[filters]`. */
export interface Conv2dLayer {
  readonly kind: 'conv2d';
  readonly name: string;
  readonly filters: number;
  readonly kernel: Extent;
  readonly strides: Extent;
  readonly padding: Padding;
  readonly useBias: boolean;
  readonly activation: Activation;
}

/** Averages leave padding out, as TensorFlow does. */
export interface Pooling2dLayer {
  readonly kind: 'maxPooling2d' | 'averagePooling2d';
  readonly name: string;
  readonly pool: Extent;
  readonly strides: Extent;
  readonly padding: Padding;
}

/** Kernel `[in, units]`, bias `[units]`. */
export interface DenseLayer {
  readonly kind: 'dense';
  readonly name: string;
  readonly units: number;
  readonly useBias: boolean;
  readonly activation: Activation;
}

/** Inverted dropout: while training, kept inputs are scaled by 1/(1 - rate). */
export interface DropoutLayer {
  readonly kind: 'dropout';
  readonly name: string;
  /** Share of inputs set to 0, in [0, 1). */
  readonly rate: number;
}

/** An activation as a layer of its own. */
export interface ActivationLayer {
  readonly kind: 'activation';
  readonly name: string;
  readonly activation: Activation;
}

/** Normalises over the batch, per place of an axis (Ioffe and Szegedy 2015); moving statistics are not trained. */
export interface BatchNormalizationLayer {
  readonly kind: 'batchNormalization';
  readonly name: string;
  /** As Keras counts, the batch being axis 0; -1, the channels, is the usual one. */
  readonly axis: number;
  readonly momentum: number;
  readonly epsilon: number;
  /** Whether there is a beta. */
  readonly center: boolean;
  /** Whether there is a gamma. */
  readonly scale: boolean;
}

/** A layer, or a setting of one, that only an engine with Keras' own layers knows; shapes cannot be followed through it. */
export interface ForeignLayer {
  readonly kind: 'foreign';
  readonly name: string;
  /** What is not known about it, as a sentence for users. */
  readonly reason: string;
  /** As it stands in Keras' `model_config`. */
  readonly keras: { readonly class_name: string; readonly config: Readonly<Record<string, unknown>> };
}

/** A Sequential model for `[n, h, w, c]` images. */
export interface ModelDescription {
  readonly name: string;
  /** Shape of one input: `[h, w, c]`; a network without convolutions may take `[features]`. */
  readonly inputShape: readonly number[];
  readonly layers: readonly Layer[];
  /** Set where the first layer takes images `[h, w]`, as layers that only Keras knows may. */
  readonly withoutChannel?: boolean;
  /** What training would not respect (frozen layers, regularizers), in words; such a model can predict only. */
  readonly trainingObstacles?: readonly string[];
}
