/** What the formats are called on the command line, and what each is for; loads nothing. */

/** Each with what it is, in the order in which help shows them. */
export const FORMAT_HELP = {
  onnx: 'ONNX, opset 20, for onnxruntime in any language',
  savedmodel: 'SavedModel for TensorFlow and TensorFlow Serving, written by Python with TensorFlow',
  tfjs: 'layers model for TensorFlow.js in a page or in Node',
  safetensors: 'the weights as plain arrays',
  keras: '.keras archive for Keras 3',
} as const;

/** The name of a format. */
export type FormatName = keyof typeof FORMAT_HELP;

/** All of them. */
export const FORMAT_NAMES = Object.keys(FORMAT_HELP) as readonly FormatName[];
