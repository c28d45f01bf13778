/** The ONNX engine conforms: on plain graphs, on blocked images, and as WebAssembly. */
import { loadOnnxEngine, onnxEngine, plainOnnxEngine } from '../onnx/onnx-engine.js';
import { describeEngine } from './describe-engine.js';

describeEngine('onnx on plain graphs', { load: async () => plainOnnxEngine });
describeEngine('onnx', { load: async () => onnxEngine });
describeEngine('onnx as WebAssembly', { load: () => loadOnnxEngine('wasm') });
