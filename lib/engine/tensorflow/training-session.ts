/** A training session on TensorFlow.js: gradients by its tape, the update by our optimizer. */
import type * as Tf from '@tensorflow/tfjs';
import { messageOf } from '../../core/errors.js';
import { randomStream } from '../../core/random.js';
import type { WeightArray, Weights } from '../../core/weights.js';
import type { LossSettings } from '../../federation/loss.js';
import { requireRepeatable } from '../../model/layers/foreign.js';
import type { Model } from '../../model/model-description.js';
import { ModelError } from '../../model/model-error.js';
import { requireSameShapes, requireTrainable } from '../../model/parameters.js';
import { defaultLoss } from '../../model/tasks/losses.js';
import type { Batch, StepResult, TrainingSession, TrainingSettings } from '../engine.js';
import {
  buildLayersModel,
  inputTensors,
  lossDescription,
  readWeights,
  writeWeights,
} from './layers-model.js';
import { batchLoss } from './losses.js';
import { createOptimizer } from './optimizer.js';
import type { TensorflowRuntime } from './runtime.js';

/** Builds the model and starts from its weights. @throws {ModelError} where it cannot be built or trained */
export async function createTensorflowTrainingSession(
  { tf, name, use }: TensorflowRuntime,
  model: Model,
  settings: TrainingSettings,
): Promise<TrainingSession> {
  requireTrainable(model.description);
  requireRepeatable(model.description);
  const lossSettings = settings.loss ?? defaultLoss(model.description);
  const description = lossDescription(model, lossSettings);
  await use();
  let random = dropoutStream(settings.seed);
  let examples = 0;
  let seeds: Uint32Array | undefined;
  const layers = await buildLayersModel(tf, description, {
    weights: model.weights,
    rowSeeds() {
      seeds ??= Uint32Array.from({ length: examples }, () => random.uint32());
      return seeds;
    },
  });
  const trained = new Set(layers.model.layers.flatMap((layer) => layer.trainableWeights));
  const trainable = layers.variables.filter((variable) => trained.has(variable));
  await use();
  const trainableOf = (weights: Weights | undefined) =>
    weights && trainable.map((each) => (weights[layers.variables.indexOf(each)] as WeightArray).values);
  const optimizer = createOptimizer(
    tf,
    { ...settings, corrections: trainableOf(settings.correction) ?? [] },
    trainable,
  );

  return {
    engine: name,
    async step(batch) {
      await use();
      examples = batch.count;
      seeds = undefined;
      const { loss, correct } = tf.tidy(() => {
        const found = gradientsOf(tf, {
          model: layers.model,
          variables: trainable,
          batch,
          loss: lossSettings,
        });
        optimizer.apply(found.gradients);
        return { loss: found.loss, correct: found.correct };
      });
      return readResult(loss, correct);
    },
    async weights(into) {
      await use();
      return readWeights(layers, { like: model.weights, into });
    },
    async restart({ weights, seed, learningRate = settings.optimizer.learningRate, correction }) {
      requireSameShapes(weights, model.weights);
      await use();
      writeWeights(tf, layers.variables, weights);
      optimizer.restart(learningRate, trainableOf(correction));
      random = dropoutStream(seed);
    },
    async dispose() {
      await use();
      optimizer.dispose();
      layers.dispose();
    },
  };
}

const dropoutStream = (seed: number) => randomStream(seed, 'dropout');

interface GradientRequest {
  /** Gives logits. */
  readonly model: Tf.LayersModel;
  readonly variables: readonly Tf.LayerVariable[];
  readonly batch: Batch;
  readonly loss: LossSettings;
}

/** Loss, number of right answers, and the gradient of the mean loss at each variable. */
function gradientsOf(tf: typeof Tf, { model, variables, batch, loss: settings }: GradientRequest) {
  const { count } = batch;
  const inputs = inputTensors(tf, batch.inputs, { model, count });
  let correct: Tf.Tensor | undefined;
  const meanLoss = () => {
    const output = model.apply(inputs, { training: true }) as Tf.Tensor2D;
    const found = batchLoss(tf, output, { batch, settings });
    correct = found.correct && tf.keep(found.correct);
    return found.loss;
  };
  const inner = variables.map((variable) => variable.read() as Tf.Variable);
  const { value, grads } = differentiate(tf, meanLoss, inner);
  return {
    loss: value,
    correct: correct as Tf.Tensor | undefined,
    gradients: inner.map((variable) => grads[variable.name] as Tf.Tensor),
  };
}

/** Some layers only predict: TensorFlow.js has no gradient of a dilated convolution. */
function differentiate(tf: typeof Tf, loss: () => Tf.Scalar, variables: Tf.Variable[]) {
  try {
    return tf.variableGrads(loss, variables);
  } catch (error) {
    const reason = messageOf(error);
    throw new ModelError(`TensorFlow.js cannot train the model: ${reason}`, { cause: error });
  }
}

async function readResult(loss: Tf.Tensor, correct: Tf.Tensor | undefined): Promise<StepResult> {
  const [lossValue, correctValue] = await Promise.all([loss.data(), correct?.data()]);
  loss.dispose();
  correct?.dispose();
  return { loss: lossValue[0] as number, correct: correctValue?.[0] };
}
