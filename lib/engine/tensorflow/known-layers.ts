/** Which layers and activations TensorFlow.js 4.22 has: told without loading it, for whoever writes for it. */

import { ModelError } from '../../core/errors.js';
import { kerasLayer } from '../../model/keras/keras-layers.js';
import { moduleOf } from '../../model/layers/registry.js';
import type { ModelDescription } from '../../model/model-description.js';
import { camelCase } from './keras-dialect.js';

/** The layers and activations of ours that are in its map of classes, as they are called there. */
export const TENSORFLOW_CLASSES: ReadonlySet<string> = new Set(
  [
    'Activation Add AlphaDropout Average AveragePooling1D AveragePooling2D BatchNormalization Bidirectional',
    'Concatenate Conv1D Conv2D Conv2DTranspose Cropping2D Dense DepthwiseConv2D Dot Dropout ELU Embedding Flatten',
    'GRU GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D',
    'GlobalMaxPooling2D LSTM LayerNormalization LeakyReLU Masking MaxPooling1D MaxPooling2D Maximum Minimum Multiply',
    // The one that the runtime adds.
    'Normalization',
    'PReLU Permute ReLU RepeatVector Rescaling Reshape SeparableConv2D SimpleRNN Softmax SpatialDropout1D',
    'ThresholdedReLU TimeDistributed UpSampling2D ZeroPadding2D',
    'elu gelu hardSigmoid linear logSoftmax mish relu relu6 selu sigmoid softmax softplus softsign swish tanh',
  ].flatMap((names) => names.split(' ')),
);

/** @throws {ModelError} naming a layer, or the activation of one, that the ONNX engine has and TensorFlow.js has not */
export function requireKnown({ layers }: Pick<ModelDescription, 'layers'>): void {
  for (const layer of layers) {
    if (layer.kind === 'foreign') continue;
    const { class_name: className } = kerasLayer(layer);
    const unknown = `layer ${layer.name} (${className}): TensorFlow.js has no`;
    if (!TENSORFLOW_CLASSES.has(className)) throw new ModelError(`${unknown} such layer`);
    const lacking = moduleOf(layer).notInTensorflow?.(layer);
    if (lacking !== undefined) throw new ModelError(`${unknown} ${lacking}`);
    const other = activationsOf(layer).find((name) => !TENSORFLOW_CLASSES.has(camelCase(name)));
    if (other !== undefined) throw new ModelError(`${unknown} activation ${other}`);
  }
}

/** The activations of a layer: behind it, in its cell, and of layers inside of it. */
function activationsOf(layer: object): readonly string[] {
  return Object.entries(layer).flatMap(([field, value]) => {
    if (typeof value === 'string' && /activation$/i.test(field)) return [value];
    return typeof value === 'object' && value !== null && 'kind' in value ? activationsOf(value) : [];
  });
}
