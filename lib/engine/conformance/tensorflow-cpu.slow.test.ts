/** TensorFlow.js conforms on its pure JavaScript backend. */
import { loadTensorflowEngine } from '../tensorflow/tensorflow-engine.js';
import { countTensors } from './count-tensors.js';
import { describeEngine } from './describe-engine.js';

describeEngine('tensorflow/cpu', {
  load: () => loadTensorflowEngine('cpu'),
  count: countTensors,
});
