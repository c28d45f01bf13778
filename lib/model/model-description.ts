/** A Keras-style Sequential model as data: its layers and their settings, without weights. */
import type { Weights } from '../core/weights.js';
import type { Layer } from './layers/registry.js';

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

/** A model: its layers and the weights that go with them. */
export interface Model {
  readonly description: ModelDescription;
  readonly weights: Weights;
}
