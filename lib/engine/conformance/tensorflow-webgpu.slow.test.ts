/** TensorFlow.js conforms on WebGPU, on a graphics card or, with FEDBATCH_SOFTWARE_GPU=1, in software. */
import { loadTensorflowEngine } from '../tensorflow/tensorflow-engine.js';
import { describeEngine } from './describe-engine.js';
import { countTensors, reasonNotLoaded, tensorflowRefusal } from './engine-under-test.js';

const load = () => loadTensorflowEngine('webgpu');
describeEngine('tensorflow/webgpu', {
  load,
  skip: await reasonNotLoaded(load),
  count: countTensors,
  refusal: tensorflowRefusal,
  // A software driver's heap swings by 50 MB without growing over hundreds of steps; the count is exact.
  growthMb: 100,
});
