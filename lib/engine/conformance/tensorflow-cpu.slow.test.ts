/** TensorFlow.js conforms on its pure JavaScript backend. */
import { loadTensorflowEngine } from '../tensorflow/tensorflow-engine.js';
import { describeEngine } from './describe-engine.js';
import { countTensors, tensorflowRefusal } from './engine-under-test.js';

describeEngine('tensorflow/cpu', {
  load: () => loadTensorflowEngine('cpu'),
  count: countTensors,
  refusal: tensorflowRefusal,
});
