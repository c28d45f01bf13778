/** What a Keras HDF5 model file holds, whichever Keras version wrote it. */
import type { Weights } from '../core/weights.js';
import type { Extras } from '../federation/client-side.js';
import type { UpdateFacts } from '../federation/client-update.js';

/** A Keras model file: the architecture as Keras' own JSON, the weights in layer order, and our facts if present. */
export interface KerasFile {
  /** `model_config` as written by Keras (`{"class_name":"Sequential","config":…}`), parsed but not interpreted. */
  readonly modelConfig: unknown;
  /**
   * All arrays in the order of the layers, and within a layer in Keras' order (kernel, bias). Names are
   * `<layer>/<parameter>:0`, e.g. `conv2d/kernel:0`, whichever Keras version wrote the file.
   */
  readonly weights: Weights;
  /** `keras_version` of the writer, e.g. `2.2.4-tf`; `1` where it gave none. */
  readonly kerasVersion: string;
  /** `training_config` of a compiled model, as Keras wrote it; never written. */
  readonly trainingConfig?: string;
  /** Which numbers are black and white in the model's input, e.g. `-1..1`, where it is not said to be 0 and 1. */
  readonly scale?: string | undefined;
  /** Present in files that fedbatch's trainer wrote. */
  readonly update?: UpdateFacts;
  /** What its strategy needs of the update; read where it is asked for. */
  readonly extras?: Extras;
}
