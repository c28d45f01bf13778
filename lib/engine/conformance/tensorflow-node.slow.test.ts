/** TensorFlow.js conforms on the native TensorFlow, where `scripts/build-tfjs-node.sh` or npm has installed it. */
import { loadTensorflowEngine } from '../tensorflow/tensorflow-engine.js';
import { describeEngine } from './describe-engine.js';
import { countTensors, reasonNotLoaded, tensorflowRefusal } from './engine-under-test.js';

const load = () => loadTensorflowEngine('node');
describeEngine('tensorflow/node', {
  load,
  skip: await reasonNotLoaded(load),
  count: countTensors,
  refusal: tensorflowRefusal,
});
