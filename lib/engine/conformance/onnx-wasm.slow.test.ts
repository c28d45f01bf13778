/** The ONNX engine conforms without its native library. */
import { loadOnnxEngine } from '../onnx/onnx-engine.js';
import { describeEngine } from './describe-engine.js';

describeEngine('onnx/wasm', {
  load: () => loadOnnxEngine('wasm'),
  // What it copies out of WebAssembly's memory is collected late: it grows by 100 MB over 400 steps, then stays.
  growthMb: 100,
});
