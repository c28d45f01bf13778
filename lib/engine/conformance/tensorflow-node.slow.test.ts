/** TensorFlow.js conforms on the native TensorFlow, where `scripts/build-tfjs-node.sh` or npm has installed it. */
import { loadTensorflowEngine } from '../tensorflow/tensorflow-engine.js';
import { countTensors } from './count-tensors.js';
import { describeEngine } from './describe-engine.js';
import { reasonNotLoaded } from './reason-not-loaded.js';

const load = () => loadTensorflowEngine('node');
describeEngine('tensorflow/node', {
  load,
  skip: await reasonNotLoaded(load),
  count: countTensors,
});
