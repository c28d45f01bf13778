/** TensorFlow.js conforms on its pure JavaScript backend. */
import { loadTensorflowEngine } from '../tensorflow/tensorflow-engine.js';
import { describeEngine } from './describe-engine.js';
import { countTensors, TENSORFLOW_LACKS } from './engine-under-test.js';

describeEngine('tensorflow/cpu', {
  load: () => loadTensorflowEngine('cpu'),
  count: countTensors,
  lacks: TENSORFLOW_LACKS,
});
