/** From a model file to a model that answers: read, check, compile, one trial prediction. */

import { basename } from 'node:path';
import { DataError, type DataProblem } from '../../lib/core/errors.js';
import { formatShape, sizeOf } from '../../lib/core/weights.js';
import type { InputShape } from '../../lib/digits/preprocess.js';
import { chooseEngine } from '../../lib/engine/choose-engine.js';
import type { PredictSession } from '../../lib/engine/engine.js';
import { BACKEND_REGISTRY, type RegisteredBackend } from '../../lib/engine/engine-registry.js';
import { modelTask } from '../../lib/engine/starting-task.js';
import { rescale, scaleOf, UNIT_SCALE } from '../../lib/federation/pixel-scale.js';
import { readFileBytes, sha256 } from '../../lib/formats/files/read-file.js';
import { decodeKerasFile, KERAS_FILE } from '../../lib/formats/keras/keras-hdf5.js';
import { modelFromKeras } from '../../lib/model/keras/keras-model.js';
import type { Model } from '../../lib/model/model-description.js';
import { sessionOf } from '../../lib/model/model-error.js';
import { faultOf, type OutputTask, widthOf } from '../../lib/model/tasks/task.js';
import type { EngineChoice } from '../../lib/settings/parts/engine.js';
import { findAccuracy, findLabels, findTraining } from './model-records.js';
import type { ModelCard, ModelSignature } from './predictor.js';
import type { LoadedModel, WorkerSettings } from './worker-protocol.js';

/** Loads a Keras model file. @throws {DataError} when it is missing, damaged, or takes no images. */
export async function loadServedModel({
  modelPath,
  bytes: given,
  labelsPath,
  scale: givenScale,
  engine: choice = { name: 'auto' },
  threads,
}: WorkerSettings): Promise<LoadedModel> {
  const bytes = given ?? (await readFileBytes(modelPath, KERAS_FILE));
  const file = await decodeKerasFile(bytes, modelPath);
  const model = modelFromKeras(file, modelPath, { keepForeignLayers: true });
  const inputShape = imageInput(model, modelPath);
  const { outputs } = modelTask({ model, file, path: modelPath });
  const [task] = outputs;
  const classes = widthOf(task);
  const labels = await findLabels({ modelPath, labelsPath, classes });
  const { engine, why } = await chooseEngine(choice, {
    description: model.description,
    registry: backendsFor(choice),
  });
  const session = await sessionOf(modelPath, engine.createPredictSession(model, { threads }));
  const scale = givenScale ?? (file.scale === undefined ? undefined : scaleOf(file.scale));
  const fault = await selfTest(session, { inputShape, scale: scale ?? UNIT_SCALE, task });
  if (fault !== undefined) {
    await session.dispose();
    throw new DataError({ file: modelPath, ...fault });
  }
  const hash = sha256(bytes);
  const accuracy = await findAccuracy(modelPath, hash);
  const training = await findTraining(modelPath, hash);
  const card = {
    file: basename(modelPath),
    sha256: hash,
    inputShape,
    ...(scale === undefined ? {} : { scale }),
    ...(task.name === 'classification' ? {} : { task: task.name }),
    classes,
    engine: engine.name,
    signature: signatureOf(model),
    ...(labels === undefined ? {} : { labels }),
    ...(accuracy === undefined ? {} : { accuracy }),
    ...(training === undefined ? {} : { training }),
  };
  return { session, why, card };
}

/** The names that Keras gives when it exports a Sequential model: its first layer's with `_input`, and its last one's. */
function signatureOf({ description: { layers, name } }: Model): ModelSignature {
  return { input: `${layers[0]?.name ?? name}_input`, output: layers.at(-1)?.name ?? name };
}

/** Predicts a batch of a black and a white picture. Returns what is wrong with the answer, if anything. */
async function selfTest(
  session: PredictSession,
  {
    inputShape,
    scale,
    task,
  }: Required<Pick<ModelCard, 'inputShape' | 'scale'>> & { readonly task: OutputTask },
): Promise<Pick<DataProblem, 'expected' | 'found'> | undefined> {
  const size = sizeOf(inputShape);
  const pictures = new Float32Array(2 * size).fill(1, size);
  rescale(pictures, { channels: inputShape[2], from: UNIT_SCALE, to: scale });
  const [answer = new Float32Array(0)] = await session.predict([pictures], 2);
  const outputs = widthOf(task);
  return faultOf(answer.subarray(0, outputs), task) ?? faultOf(answer.subarray(outputs), task);
}

/** One picture at a time is answered sooner by the processor: a GPU is used where it is asked for. */
function backendsFor({ name, backend }: EngineChoice): readonly RegisteredBackend[] {
  const isOpen = name === 'auto' && backend === undefined;
  return isOpen ? BACKEND_REGISTRY.filter(({ device }) => device === 'cpu') : BACKEND_REGISTRY;
}

/** The input as an image `[h, w, c]`; a flat input of a square number is a square grey image, row by row. */
function imageInput({ description }: Model, path: string): InputShape {
  const shapes = description.inputs.map(({ shape }) => shape);
  const [[height = 0, width = 0, channels = 1] = []] = shapes;
  if (shapes.length === 1 && width > 0 && (channels === 1 || channels === 3))
    return [height, width, channels];
  const side = Math.sqrt(height);
  if (shapes.length === 1 && width === 0 && Number.isInteger(side)) return [side, side, 1];
  throw new DataError({
    file: path,
    expected: 'a model of grey or colour images, of input [h,w,1] or [h,w,3]',
    found: `one of ${shapes.length === 1 ? 'input' : 'inputs'} ${shapes.map(formatShape).join(' and ')}`,
  });
}
