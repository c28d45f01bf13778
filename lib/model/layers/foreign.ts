/** Layers, or settings of them, that only an engine with Keras' own layers knows. */

import { ModelError } from '../../core/errors.js';
import type { KerasObject } from '../keras/keras-settings.js';
import type { LayerModule } from './layer-module.js';

/** A layer as the file describes it; shapes cannot be followed through it. */
export interface ForeignLayer {
  readonly kind: 'foreign';
  readonly name: string;
  /** What is not known about it, as a sentence for users. */
  readonly reason: string;
  /** As it stands in Keras' `model_config`. */
  readonly keras: KerasObject;
}

const refuse = ({ reason }: ForeignLayer): never => {
  throw new ModelError(reason);
};

/** Stands for all of them: nothing can be done with one but to hand it on. */
export const foreign: LayerModule<ForeignLayer> = {
  kind: 'foreign',
  keras: [],
  outputShape: refuse,
  // The engine that builds it knows.
  maskBehind: () => 'dropped',
  parameters: refuse,
  forward: refuse,
};

/** The layers of a model that the ONNX engine cannot compile, each with its reason. */
export function foreignLayers({
  layers,
}: {
  readonly layers: readonly { readonly kind: string }[];
}): readonly ForeignLayer[] {
  return layers.filter((layer): layer is ForeignLayer => layer.kind === 'foreign');
}

/** Layers that draw random numbers in training, wherever they stand. */
const RANDOM_LAYER = /^(Random|Gaussian|Alpha|SpatialDropout|Dropout)/;

/** Makes sure that training can be repeated from a seed. @throws {ModelError} naming the layer that draws its own */
export function requireRepeatable(description: Parameters<typeof foreignLayers>[0]): void {
  for (const { name, keras } of foreignLayers(description)) {
    const drawing = findDrawing(keras);
    if (drawing !== undefined) {
      throw new ModelError(
        `layer ${name} (${keras.class_name}) cannot be trained here: its ${drawing} draws random numbers that no seed repeats`,
      );
    }
  }
}

/** What in a layer's JSON is random: itself, a layer that it wraps, or the dropout of a recurrent layer. */
function findDrawing(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = Object.entries(value);
  for (const [key, field] of fields) {
    if (key === 'class_name' && typeof field === 'string' && RANDOM_LAYER.test(field)) {
      // Initial weights are read from a file, however they were once drawn.
      return /(Normal|Uniform)$/.test(field) ? undefined : field;
    }
    if ((key === 'dropout' || key === 'recurrent_dropout') && typeof field === 'number' && field > 0)
      return key;
  }
  for (const [, field] of fields) {
    const found = findDrawing(field);
    if (found !== undefined) return found;
  }
  return undefined;
}
