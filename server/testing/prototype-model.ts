/** A real model file that reads the calculator digits: one dense layer whose weights are their pictures. */
import { sizeOf } from '../../lib/core/weights.js';
import { type InputShape, preprocess } from '../../lib/digits/preprocess.js';
import { writeKerasFile } from '../../lib/formats/keras/keras-hdf5.js';
import { kerasConfig } from '../../lib/model/keras/keras-model.js';
import { sequential } from '../../lib/model/model-description.js';
import { decodeImage } from '../pictures/decode-image.js';
import { type Drawing, digitPng } from './segment-digits.js';

const CLASSES = 10;

/**
 * Writes a Keras file whose softmax scores are minus the squared distances to ten pictures (nearest prototype).
 * Returns the sha256 of the file.
 */
export async function writePrototypeModel(
  path: string,
  { inputShape = [28, 28, 1], drawing = {} }: { inputShape?: InputShape; drawing?: Partial<Drawing> } = {},
): Promise<string> {
  const size = sizeOf(inputShape);
  const kernel = new Float32Array(size * CLASSES);
  const bias = new Float32Array(CLASSES);
  for (let digit = 0; digit < CLASSES; digit++) {
    const { values } = preprocess(await decodeImage(await digitPng(digit, drawing)), inputShape);
    // -|x - p|² = 2 p·x - |p|² - |x|², of which softmax does not see the last.
    values.forEach((value, at) => {
      kernel[at * CLASSES + digit] = 2 * value;
      bias[digit] = (bias[digit] as number) - value * value;
    });
  }
  return writeDenseModel(path, { inputShape, kernel, bias });
}

/** Writes a Keras file of one dense layer, by default with a softmax. */
export async function writeDenseModel(
  path: string,
  {
    inputShape,
    kernel,
    bias,
    activation = 'softmax',
  }: {
    inputShape: InputShape;
    kernel: Float32Array;
    bias: Float32Array;
    activation?: 'softmax' | 'linear';
  },
): Promise<string> {
  const units = bias.length;
  const description = sequential({
    name: 'prototypes',
    inputShape,
    layers: [
      { kind: 'flatten', name: 'flatten' },
      { kind: 'dense', name: 'dense', units, useBias: true, activation },
    ],
  });
  return writeKerasFile(path, {
    modelConfig: kerasConfig(description),
    kerasVersion: '2.2.4-tf',
    weights: [
      { name: 'dense/kernel:0', shape: [sizeOf(inputShape), units], values: kernel },
      { name: 'dense/bias:0', shape: [units], values: bias },
    ],
  });
}
