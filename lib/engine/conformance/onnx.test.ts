/** The ONNX engine conforms: on plain graphs, on blocked images, and without its native library. */
import { loadOnnxEngine, onnxEngine, plainOnnxEngine } from '../onnx/onnx-engine.js';
import { describeEngine } from './describe-engine.js';

describeEngine('onnx on plain graphs', { load: async () => plainOnnxEngine });
describeEngine('onnx', { load: async () => onnxEngine });
describeEngine('onnx/wasm', {
  load: () => loadOnnxEngine('wasm'),
  // What it copies out of WebAssembly's memory is collected late: it grows by 100 MB over 400 steps, then stays.
  growthMb: 100,
});
