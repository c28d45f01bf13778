/** Models with layers that only an engine with Keras' own layers can build. */
import type { ForeignLayer, Layer, ModelDescription } from '../model/model-description.js';
import { ModelError } from './parameters.js';

/** The layers of a model that the ONNX engine cannot compile, each with its reason. */
export function foreignLayers({ layers }: ModelDescription): readonly ForeignLayer[] {
  return layers.filter((layer: Layer): layer is ForeignLayer => layer.kind === 'foreign');
}

/** Layers that draw random numbers in training, wherever they stand. */
const RANDOM_LAYER = /^(Random|Gaussian|Alpha|SpatialDropout|Dropout)/;

/** Makes sure that training can be repeated from a seed. @throws {ModelError} naming the layer that draws its own */
export function requireRepeatable(description: ModelDescription): void {
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
