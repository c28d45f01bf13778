/** The ONNX engine conforms on blocked images; on plain graphs and without its native library in the slow tier. */
import { onnxEngine } from '../onnx/onnx-engine.js';
import { describeEngine } from './describe-engine.js';

describeEngine('onnx', { load: async () => onnxEngine });
