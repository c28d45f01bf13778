/** A Keras-style Sequential model as data: its layers and their settings, without weights. */

/** Element-wise functions; softmax is over the last axis. */
export type Activation = 'linear' | 'relu' | 'softmax';

/** How a convolution or a pool treats the border: `valid` drops it, `same` pads with zeros as TensorFlow does. */
export type Padding = 'valid' | 'same';

/** Height and width of a window or a step, in pixels. */
export type Extent = readonly [height: number, width: number];

/** One layer; `name` is unique in its model and names its weights. */
export type Layer =
  | {
      readonly kind: 'conv2d';
      readonly name: string;
      readonly filters: number;
      readonly kernel: Extent;
      readonly strides: Extent;
      readonly padding: Padding;
      readonly useBias: boolean;
      readonly activation: Activation;
    }
  | {
      readonly kind: 'maxPooling2d' | 'averagePooling2d';
      readonly name: string;
      readonly pool: Extent;
      readonly strides: Extent;
      readonly padding: Padding;
    }
  | { readonly kind: 'globalAveragePooling2d'; readonly name: string }
  | { readonly kind: 'flatten'; readonly name: string }
  | {
      readonly kind: 'dense';
      readonly name: string;
      readonly units: number;
      readonly useBias: boolean;
      readonly activation: Activation;
    }
  | {
      readonly kind: 'dropout';
      readonly name: string /** Share of inputs set to 0. */;
      readonly rate: number;
    }
  | { readonly kind: 'activation'; readonly name: string; readonly activation: Activation };

/** A Sequential model for `[n, h, w, c]` images. */
export interface ModelDescription {
  readonly name: string;
  /** Shape of one input: `[h, w, c]`. */
  readonly inputShape: readonly [height: number, width: number, channels: number];
  readonly layers: readonly Layer[];
}
