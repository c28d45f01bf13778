/** TensorFlow.js conforms on WebGPU, on a graphics card or, with FEDBATCH_SOFTWARE_GPU=1, in software. */
import * as tf from '@tensorflow/tfjs';
import { loadTensorflowEngine } from '../tensorflow/tensorflow-engine.js';
import { describeEngine } from './describe-engine.js';
import { reasonNotLoaded } from './reason-not-loaded.js';

const load = () => loadTensorflowEngine('webgpu');
describeEngine('tensorflow/webgpu', {
  load,
  skip: await reasonNotLoaded(load),
  count: () => tf.memory().numTensors,
});
