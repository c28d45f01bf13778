/** The ONNX engine: a model compiled to one graph for a training step and one for prediction, on ONNX Runtime. */
import type { Engine } from '../engine.js';
import { requireBackend } from './backend-check.js';
import { type OnnxBackend, onnxEngineName } from './backends.js';
import { createOnnxPredictSession } from './predict-session.js';
import { probeBlocks } from './probe-blocks.js';
import { createOnnxTrainingSession } from './training-session.js';

/**
 * The engine on a backend that has just been seen to work.
 *
 * @throws {EngineUnavailableError} with the reason, and what to install; never falls back to another backend
 */
export async function loadOnnxEngine(backend: OnnxBackend): Promise<Engine> {
  await requireBackend(backend);
  return backend === 'cpu' ? onnxEngine : engineOn(backend);
}

/** On ONNX's standard operators alone. */
function engineOn(backend: OnnxBackend): Engine {
  const name = onnxEngineName(backend);
  return {
    name,
    createTrainingSession: (model, settings) =>
      createOnnxTrainingSession(model, { ...settings, backend, engine: name }),
    createPredictSession: (model, { threads }) => createOnnxPredictSession(model, { threads, backend }),
  };
}

/** On standard operators on this machine's processor: what the faster one is compared with. */
export const plainOnnxEngine: Engine = engineOn('cpu');

/** Runs on this machine's processor; calls block their thread while a step runs, so long work belongs in a worker. */
export const onnxEngine: Engine = {
  ...plainOnnxEngine,
  async createTrainingSession(model, settings) {
    const { blockSize } = await probeBlocks(model);
    const { name } = plainOnnxEngine;
    const engine = blockSize === undefined ? name : `${name} with blocks of ${blockSize}`;
    return createOnnxTrainingSession(model, { ...settings, backend: 'cpu', blockSize, engine });
  },
};
