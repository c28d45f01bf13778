/** All formats, by what they are called on the command line; loaded once one is asked for. */
import type { ExportFormat } from './format.js';
import type { FormatName } from './format-names.js';
import { keras } from './keras.js';
import { onnx } from './onnx.js';
import { safetensors } from './safetensors.js';
import { savedmodel } from './savedmodel.js';
import { tfjs } from './tfjs.js';

/** What each is to the exporter. */
export const FORMATS: Readonly<Record<FormatName, ExportFormat>> = {
  onnx,
  savedmodel,
  tfjs,
  safetensors,
  keras,
};
