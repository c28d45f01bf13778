/** The TensorFlow.js engine: a model built from its Keras config through tf.layers, on any of its backends. */
import type { Engine } from '../engine.js';
import type { TensorflowBackend } from './backends.js';
import { createTensorflowPredictSession } from './predict-session.js';
import { loadRuntime } from './runtime.js';
import { createTensorflowTrainingSession } from './training-session.js';

/**
 * The engine on one backend; its packages are loaded now.
 *
 * @throws {EngineUnavailableError} where a package or a graphics card is missing, saying what to install
 */
export async function loadTensorflowEngine(backend: TensorflowBackend): Promise<Engine> {
  const runtime = await loadRuntime(backend);
  return {
    name: runtime.name,
    createTrainingSession: (model, settings) => createTensorflowTrainingSession(runtime, model, settings),
    createPredictSession: (model) => createTensorflowPredictSession(runtime, model),
  };
}
