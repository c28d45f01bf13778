/** The ONNX engine conforms on plain graphs, those of devices. The quick tier trains every setting of every layer on them. */
import { plainOnnxEngine } from '../onnx/onnx-engine.js';
import { describeEngine } from './describe-engine.js';

describeEngine('onnx on plain graphs', { load: async () => plainOnnxEngine });
