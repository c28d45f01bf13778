/** The ONNX engine: a model compiled to one graph for a training step and one for prediction, on ONNX Runtime's CPU. */
import type { Engine } from '../engine.js';
import { probeBlocks } from './blocked/probe.js';
import { createPredictSession } from './predict-session.js';
import { createTrainingSession } from './training-session.js';

const NAME = 'onnx/cpu';

/** Runs on this machine's processor; calls block their thread while a step runs, so long work belongs in a worker. */
export const onnxEngine: Engine = {
  name: NAME,
  async createTrainingSession(model, settings) {
    const { blockSize } = await probeBlocks(model);
    const engine = blockSize === undefined ? NAME : `${NAME} with blocks of ${blockSize}`;
    return createTrainingSession(model, { ...settings, blockSize, engine });
  },
  createPredictSession,
};

/** The same on ONNX's standard operators alone: what the other is compared with. */
export const plainOnnxEngine: Engine = {
  name: NAME,
  createTrainingSession: (model, settings) => createTrainingSession(model, { ...settings, engine: NAME }),
  createPredictSession,
};
