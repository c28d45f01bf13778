/** TensorFlow.js conforms on CUDA; in a file of its own, since a process holds one of the native packages. */
import { loadTensorflowEngine } from '../tensorflow/tensorflow-engine.js';
import { countTensors } from './count-tensors.js';
import { describeEngine } from './describe-engine.js';
import { reasonNotLoaded } from './reason-not-loaded.js';

const load = () => loadTensorflowEngine('node-gpu');
describeEngine('tensorflow/node-gpu', {
  load,
  skip: await reasonNotLoaded(load),
  count: countTensors,
});
