/** TensorFlow.js conforms on CUDA; in a file of its own, since a process holds one of the native packages. */
import { loadTensorflowEngine } from '../tensorflow/tensorflow-engine.js';
import { describeEngine } from './describe-engine.js';
import { countTensors, reasonNotLoaded, tensorflowRefusal } from './engine-under-test.js';

const load = () => loadTensorflowEngine('node-gpu');
describeEngine('tensorflow/node-gpu', {
  load,
  skip: await reasonNotLoaded(load),
  count: countTensors,
  refusal: tensorflowRefusal,
});
