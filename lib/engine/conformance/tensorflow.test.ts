/** TensorFlow.js conforms on its pure JavaScript backend. */
import * as tf from '@tensorflow/tfjs';
import { loadTensorflowEngine } from '../tensorflow/tensorflow-engine.js';
import { describeEngine } from './describe-engine.js';

describeEngine('tensorflow/cpu', {
  load: () => loadTensorflowEngine('cpu'),
  count: () => tf.memory().numTensors,
});
