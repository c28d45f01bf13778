/** TensorFlow.js conforms on CUDA; in a file of its own, since a process holds one of the native packages. */
import { loadTensorflowEngine } from '../tensorflow/tensorflow-engine.js';
import { describeEngine } from './describe-engine.js';
import { countTensors, reasonNotLoaded, TENSORFLOW_LACKS } from './engine-under-test.js';

const load = () => loadTensorflowEngine('node-gpu');
describeEngine('tensorflow/node-gpu', {
  load,
  skip: await reasonNotLoaded(load),
  count: countTensors,
  lacks: TENSORFLOW_LACKS,
});
