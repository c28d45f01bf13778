/** A training session on TensorFlow.js: gradients by its tape, the update by our optimizer. */
import type * as Tf from '@tensorflow/tfjs';
import { ModelError, messageOf } from '../../core/errors.js';
import { randomStream } from '../../core/random.js';
import { formatShape, type WeightArray, type Weights } from '../../core/weights.js';
import type { Losses, OutputLoss } from '../../federation/loss.js';
import { foreignLayers, requireRepeatable } from '../../model/layers/foreign.js';
import type { NamedLayer } from '../../model/layers/layer-module.js';
import type { Constraint, ParameterTraining } from '../../model/layers/layer-training.js';
import { moduleOf } from '../../model/layers/registry.js';
import { type Model, type ModelDescription, outputNames } from '../../model/model-description.js';
import {
  answerShapes,
  modelParameters,
  requireSameShapes,
  requireTrainable,
} from '../../model/parameters.js';
import { defaultLoss, lossAt } from '../../model/tasks/losses.js';
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
  requireOwnTraining(model.description);
  requireRepeatable(model.description);
  const lossSettings = onlyLoss(model.description, settings.loss);
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
  // With foreign layers there are no such terms.
  const parameters = foreignLayers(description).length > 0 ? [] : modelParameters(description);
  const terms: readonly ParameterTraining[] = trainable.map(
    (each) => parameters[layers.variables.indexOf(each)] ?? {},
  );
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
          terms,
          batch,
          loss: lossSettings,
        });
        optimizer.apply(found.gradients);
        for (const [at, { constraint }] of terms.entries()) constrain(trainable[at], constraint);
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

/** @throws {ModelError} for several outputs, and for one of several steps */
function onlyLoss(description: ModelDescription, losses: Losses | undefined): OutputLoss {
  const [shape = [], ...others] = answerShapes(description);
  const found =
    others.length > 0
      ? `the model has ${others.length + 1} outputs (${outputNames(description).join(', ')})`
      : `the output of the model has the shape ${formatShape(shape)}`;
  if (others.length > 0 || shape.length > 1)
    throw new ModelError(
      `${found}, and TensorFlow.js trains one output of a row of numbers: take the engine onnx`,
    );
  return lossAt(losses, 0) ?? defaultLoss(description);
}

const dropoutStream = (seed: number) => randomStream(seed, 'dropout');

interface GradientRequest {
  /** Gives logits. */
  readonly model: Tf.LayersModel;
  readonly variables: readonly Tf.LayerVariable[];
  /** What training does with each of them beside its gradient. */
  readonly terms: readonly ParameterTraining[];
  readonly batch: Batch;
  readonly loss: OutputLoss;
}

/** Loss, number of right answers, and the gradient of the mean loss at each variable. */
function gradientsOf(tf: typeof Tf, { model, variables, terms, batch, loss: settings }: GradientRequest) {
  const { count } = batch;
  const inputs = inputTensors(tf, batch.inputs, { model, count });
  let correct: Tf.Tensor | undefined;
  const inner = variables.map((variable) => variable.read() as Tf.Variable);
  const meanLoss = () => {
    const output = model.apply(inputs, { training: true }) as Tf.Tensor2D;
    const found = batchLoss(tf, output, { batch, settings });
    correct = found.correct && tf.keep(found.correct);
    return inner.reduce((sum, each, at) => {
      const { l1 = 0, l2 = 0 } = terms[at]?.regularizer ?? {};
      const first = l1 === 0 ? sum : sum.add(each.abs().sum().mul(l1));
      return (l2 === 0 ? first : first.add(each.square().sum().mul(l2))) as Tf.Scalar;
    }, found.loss as Tf.Scalar);
  };
  const { value, grads } = differentiate(tf, meanLoss, inner);
  return {
    loss: value,
    correct: correct as Tf.Tensor | undefined,
    gradients: inner.map((variable) => grads[variable.name] as Tf.Tensor),
  };
}

/** @throws {ModelError} naming a layer that asks something of training that TensorFlow.js has not */
function requireOwnTraining({ layers }: ModelDescription): void {
  for (const layer of layers) {
    const { name, training }: NamedLayer = layer;
    const isFixed = training?.isFrozen === true && moduleOf(layer).mixesExamples === true;
    const activity = training?.activity === undefined ? undefined : 'activity_regularizer';
    const lacking = isFixed ? 'trainable: false of a normalization' : activity;
    if (lacking !== undefined) throw new ModelError(`layer ${name}: TensorFlow.js has no ${lacking}`);
  }
}

/** Brings a variable back to what its constraint allows. */
function constrain(variable: Tf.LayerVariable | undefined, constraint?: Constraint): void {
  if (variable === undefined || constraint === undefined) return;
  const weights = variable.read();
  if (constraint.kind === 'non-negative') {
    variable.write(weights.relu());
    return;
  }
  const { least, most, rate, axes } = constraint;
  const norm = weights
    .square()
    .sum([...axes], true)
    .sqrt();
  const wanted = norm
    .clipByValue(least, most)
    .mul(rate)
    .add(norm.mul(1 - rate));
  variable.write(weights.mul(wanted.div(norm.add(1e-7))));
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
