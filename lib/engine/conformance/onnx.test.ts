/** The ONNX engine conforms: on plain graphs and on blocked images; without its native library in the slow tier. */
import { onnxEngine, plainOnnxEngine } from '../onnx/onnx-engine.js';
import { describeEngine } from './describe-engine.js';

describeEngine('onnx on plain graphs', { load: async () => plainOnnxEngine });
describeEngine('onnx', { load: async () => onnxEngine });
