/** The TensorFlow.js engine: a model built from its Keras config through tf.layers, on any of its backends. */
import type * as Tf from '@tensorflow/tfjs';
import { ModelError, messageOf } from '../../core/errors.js';
import { foreignLayers } from '../../model/layers/foreign.js';
import type { Model } from '../../model/model-description.js';
import type { Engine, PredictSession } from '../engine.js';
import type { TensorflowBackend } from './backends.js';
import { buildLayersModel, inputTensors } from './layers-model.js';
import { loadRuntime, type TensorflowRuntime } from './runtime.js';
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

/** Builds `model` for prediction with batches of any size. @throws {ModelError} where it cannot be built */
async function createTensorflowPredictSession(
  { tf, use }: TensorflowRuntime,
  { description, weights }: Model,
): Promise<PredictSession> {
  await use();
  const layers = await buildLayersModel(tf, description, { weights });
  return {
    async predict(inputs, count) {
      await use();
      const outputs = tf.tidy(() => {
        const given = inputTensors(tf, inputs, { model: layers.model, count });
        try {
          return [layers.model.apply(given, { training: false }) as Tf.Tensor | Tf.Tensor[]].flat();
        } catch (error) {
          // Some settings of layers it builds and does not compute.
          const [foreign] = foreignLayers(description);
          if (foreign === undefined) throw error;
          const reason = `TensorFlow.js cannot compute the model: ${messageOf(error)} (${foreign.reason})`;
          throw new ModelError(reason, { cause: error });
        }
      });
      const values = await Promise.all(outputs.map(async (each) => Float32Array.from(await each.data())));
      for (const output of outputs) output.dispose();
      return values;
    },
    async dispose() {
      await use();
      layers.dispose();
    },
  };
}
