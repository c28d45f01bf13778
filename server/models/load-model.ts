/** From a model file to a model that answers: read, check, compile, one trial prediction. */

import { basename } from 'node:path';
import { DataError, type DataProblem, sessionOf } from '../../lib/core/errors.js';
import { sizeOf } from '../../lib/core/weights.js';
import type { InputShape } from '../../lib/digits/preprocess.js';
import { chooseEngine } from '../../lib/engine/choose-engine.js';
import type { PredictSession } from '../../lib/engine/engine.js';
import { BACKEND_REGISTRY, type RegisteredBackend } from '../../lib/engine/engine-registry.js';
import { readModelFile } from '../../lib/engine/model-file.js';
import { modelTask } from '../../lib/engine/starting-task.js';
import { SEVERAL_OUTPUTS } from '../../lib/federation/metrics.js';
import { type PixelScale, rescale, scaleOf, UNIT_SCALE } from '../../lib/federation/pixel-scale.js';
import {
  inputNames,
  type Model,
  type ModelDescription,
  outputNames,
} from '../../lib/model/model-description.js';
import { inputBound } from '../../lib/model/parameters.js';
import { faultOf, stepsOf, type Task, widthOf } from '../../lib/model/tasks/task.js';
import type { EngineChoice } from '../../lib/settings/parts/engine.js';
import { joinRows, splitRows } from '../rows.js';
import { toldData, withDataFacts } from './data-facts.js';
import type { ModelCard, ModelSignature } from './model-card.js';
import { findLabels, findTest, findTraining, type LabelSource } from './model-records.js';
import { inputsOf, rowSizeOf } from './predictor.js';
import type { ServedInput, ServedOutput } from './served-facts.js';
import type { LoadedModel, WorkerSettings } from './worker-protocol.js';

/** Loads a Keras model file. @throws {DataError} when it is missing, damaged, or does not answer as its task asks. */
export async function loadServedModel({
  modelPath,
  bytes,
  labelsPath,
  scale: givenScale,
  engine: choice = { name: 'auto' },
  threads,
}: WorkerSettings): Promise<LoadedModel> {
  const { file, model, sha256 } = await readModelFile(modelPath, { bytes });
  const task = modelTask({ model, file, path: modelPath });
  const givesScale = givenScale !== undefined || file.scale !== undefined;
  const told = await toldData(modelPath, file.names);
  const isTable = told.inputs?.some(({ columns }) => columns !== undefined) ?? false;
  const inputShape = isTable ? undefined : pictureShape(model.description, { task, givesScale });
  const classes = widthOf(task.outputs[0]);
  const labels = await namesFor(task, { modelPath, labelsPath, told });
  const { engine, why } = await chooseEngine(choice, {
    description: model.description,
    registry: backendsFor(choice),
  });
  const opened = await sessionOf(modelPath, engine.createPredictSession(model, { threads }));
  const session = inRows(opened, { model, task });
  const scale = givenScale ?? (file.scale === undefined ? undefined : scaleOf(file.scale));
  const facts = {
    file: basename(modelPath),
    sha256,
    ...(inputShape === undefined ? { inputs: withDataFacts(inputsIn(model, scale), told) } : { inputShape }),
    ...(inputShape === undefined || !isPlain(task) ? { outputs: outputsIn(task) } : {}),
    ...(scale === undefined || inputShape === undefined ? {} : { scale }),
    ...taskTitle(task),
    ...(told.target === undefined || task.outputs.length > 1 ? {} : { target: told.target }),
    classes,
    engine: engine.name,
    signature: signatureOf(model),
    ...(labels === undefined ? {} : { labels }),
  };
  const fault = await selfTest(session, { card: facts, task });
  if (fault !== undefined) {
    await session.dispose();
    throw new DataError({ file: modelPath, ...fault });
  }
  const tested = await findTest(modelPath, sha256);
  const training = await findTraining(modelPath, sha256);
  const card: ModelCard = {
    ...facts,
    ...tested,
    ...(training === undefined ? {} : { training }),
  };
  return { session, why, card };
}

/** What the card calls a task; nothing for one row of classes. */
function taskTitle({ outputs: [only, ...others] }: Task): Pick<ModelCard, 'task'> {
  if (others.length > 0) return { task: SEVERAL_OUTPUTS };
  if (stepsOf(only) > 1) return { task: `${only.name} at each of ${stepsOf(only)} steps` };
  return only.name === 'classification' ? {} : { task: only.name };
}

/** Whether it answers with the probabilities of classes alone. */
const isPlain = ({ outputs: [only, ...others] }: Task): boolean =>
  others.length === 0 && only.name === 'classification' && !only.loss.fromLogits;

/** The names of classes or numbers, of a model with one output: of yes and no two, or one for what holds. */
async function namesFor({ outputs: [only, ...others] }: Task, source: Omit<LabelSource, 'counts'>) {
  if (others.length > 0) return undefined;
  return findLabels({ ...source, counts: only.name === 'binary' ? [2, 1] : [widthOf(only)] });
}

/** Inputs of a model that is not one of one picture; some of them may be pictures. */
function inputsIn({ description }: Model, scale: PixelScale | undefined): readonly ServedInput[] {
  const { input } = signatureOf({ description });
  const isOnly = description.inputs.length === 1;
  return description.inputs.map(({ name, shape, isInteger = false }) => {
    const below = inputBound(description, name);
    const isPicture = !isInteger && below === undefined && isPictureShape(shape);
    return {
      name: isOnly ? input : name,
      shape,
      ...(isInteger ? { isInteger } : {}),
      ...(below === undefined ? {} : { below }),
      ...(isPicture ? { isPicture } : {}),
      // Only of images alone a file says what their scale is.
      ...(isPicture && isOnly && scale !== undefined ? { scale } : {}),
    };
  });
}

function outputsIn({ outputs }: Task): readonly ServedOutput[] {
  return outputs.map(({ output, shape, name, loss }) => ({
    name: output,
    shape,
    task: name,
    ...(loss.fromLogits ? { isLogits: true } : {}),
  }));
}

/** The names that Keras gives when it exports a model. */
function signatureOf({ description }: Pick<Model, 'description'>): ModelSignature {
  const { name } = description;
  return { input: inputNames(description)[0] ?? name, output: outputNames(description)[0] ?? name };
}

/** A session that takes for each example the numbers of all inputs one after the other, and answers likewise. */
function inRows(
  session: PredictSession,
  { model: { description }, task }: { readonly model: Model; readonly task: Task },
): PredictSession {
  const inputs = description.inputs.map(({ shape }) => sizeOf(shape));
  if (inputs.length === 1 && task.outputs.length === 1) return session;
  return {
    async predict([rows = new Float32Array(0)], count) {
      return [joinRows(await session.predict(splitRows(rows, inputs), count), count)];
    },
    dispose: () => session.dispose(),
  };
}

/** Predicts a batch of zeros and ones, black and white of pictures. Returns what is wrong with the answer, if anything. */
async function selfTest(
  session: PredictSession,
  { card, task }: { readonly card: ModelCard; readonly task: Task },
): Promise<Pick<DataProblem, 'expected' | 'found'> | undefined> {
  const size = rowSizeOf(card);
  const rows = new Float32Array(2 * size).fill(1, size);
  if (card.inputShape !== undefined)
    rescale(rows, { channels: card.inputShape[2], from: UNIT_SCALE, to: card.scale ?? UNIT_SCALE });
  let at = size;
  for (const { shape, below } of inputsOf(card)) {
    if (below === 1) rows.fill(0, at, at + sizeOf(shape));
    at += sizeOf(shape);
  }
  const [answer = new Float32Array(0)] = await session.predict([rows], 2);
  let from = 0;
  for (let row = 0; row < 2; row++)
    for (const output of task.outputs) {
      const width = widthOf(output);
      for (let step = 0; step < stepsOf(output); step++, from += width) {
        const fault = faultOf(answer.subarray(from, from + width), output);
        if (fault !== undefined) return fault;
      }
    }
  return undefined;
}

/** One picture at a time is answered sooner by the processor: a GPU is used where it is asked for. */
function backendsFor({ name, backend }: EngineChoice): readonly RegisteredBackend[] {
  const isOpen = name === 'auto' && backend === undefined;
  return isOpen ? BACKEND_REGISTRY.filter(({ device }) => device === 'cpu') : BACKEND_REGISTRY;
}

/** Sides of a picture among other inputs, and of a flat one, at least: less is a table's. */
const LEAST_SIDE = 8;

function isPictureShape([height = 0, width = 0, channels, ...more]: readonly number[]): boolean {
  const isLarge = height >= LEAST_SIDE && width >= LEAST_SIDE;
  return isLarge && (channels === 1 || channels === 3) && more.length === 0;
}

/**
 * The only input as a picture `[h, w, c]`, where the model answers with one row of numbers: grey or colour images; as many
 * rows as columns, or a row of a square number of classes' pixels, are a square grey one.
 */
function pictureShape(
  description: ModelDescription,
  { task, givesScale }: { readonly task: Task; readonly givesScale: boolean },
): InputShape | undefined {
  const [input, ...otherInputs] = description.inputs;
  const [output, ...otherOutputs] = task.outputs;
  if (input === undefined || otherInputs.length > 0 || otherOutputs.length > 0) return undefined;
  if (output.shape.length > 1 || input.isInteger || inputBound(description, input.name) !== undefined)
    return undefined;
  const [height = 0, width = 0, channels = 1] = input.shape;
  if (input.shape.length === 3 && (channels === 1 || channels === 3)) return [height, width, channels];
  if (input.shape.length === 2 && (height === width || givesScale)) return [height, width, 1];
  const side = Math.sqrt(height);
  const isSquare = input.shape.length === 1 && Number.isInteger(side) && side >= LEAST_SIDE;
  return isSquare && (output.name === 'classification' || givesScale) ? [side, side, 1] : undefined;
}
