/** The ONNX engine: a model compiled to one graph for a training step and one for prediction, on ONNX Runtime's CPU. */
import type { Engine } from '../engine.js';
import { createPredictSession } from './predict-session.js';
import { createTrainingSession } from './training-session.js';

/** Runs on this machine's processor; calls block their thread while a step runs, so long work belongs in a worker. */
export const onnxEngine: Engine = { name: 'onnx/cpu', createTrainingSession, createPredictSession };
