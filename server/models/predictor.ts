/** What the server asks of a model: its facts and its predictions, wherever the model runs. */
import { sizeOf } from '../../lib/core/weights.js';
import type { TaskName } from '../../lib/federation/metrics.js';
import type { PixelScale } from '../../lib/federation/pixel-scale.js';
import type { Confusion } from '../../lib/formats/confusions.js';
import type { AnswerFacts, ServedInput, ServedOutput, ServedTarget } from './served-facts.js';

/** Facts of a loaded model, as `GET /model` answers them. */
export interface ModelCard {
  /** Name of the model file, without its directory. */
  readonly file: string;
  /** sha256 of the file, 64 hexadecimal digits. */
  readonly sha256: string;
  /** Shape of one input, `[h, w, c]`, where the model takes one picture and answers with one row of numbers. */
  readonly inputShape?: readonly [height: number, width: number, channels: number];
  /** What any other model takes. */
  readonly inputs?: readonly ServedInput[];
  /** What a model answers that does not answer with the probabilities of classes alone. */
  readonly outputs?: readonly ServedOutput[];
  /** Which numbers are black and white in the input, where the file or `--scale` says so; else 0 and 1. */
  readonly scale?: PixelScale;
  /** What the model has learned, where that is not to tell classes apart: it puts out other numbers then. */
  readonly task?: string;
  /** Number of classes, or of other numbers that the first output has for each example. */
  readonly classes: number;
  /** The engine that runs the model, e.g. `onnx/cpu`. */
  readonly engine: string;
  /** What the API calls the model's first input and output: as Keras names them when it exports a model. */
  readonly signature: ModelSignature;
  /** Name of each class, where a labels file or the data give them; of each number that is no class, where a file does. */
  readonly labels?: readonly string[];
  /** What the model answers, where its data call it something. */
  readonly target?: ServedTarget;
  /** What the accuracy test found for exactly this file, where its record lies beside it. */
  readonly accuracy?: ModelAccuracy;
  /** What the test of a model found that learned something else than to tell classes apart: the metric that leads its task. */
  readonly tested?: ModelTest;
  /** How it was trained, where the records of that run lie beside it. */
  readonly training?: ModelTraining;
}

/** The inputs of a model, pictures among them. */
export const inputsOf = ({
  inputs,
  inputShape = [0, 0, 0],
  signature,
  scale,
}: ModelCard): readonly ServedInput[] =>
  inputs ?? [{ name: signature.input, shape: inputShape, isPicture: true, scale }];

/** The outputs of a model. */
export const outputsOf = ({ outputs, classes, task, signature }: ModelCard): readonly ServedOutput[] =>
  outputs ?? [{ name: signature.output, shape: [classes], task: (task ?? 'classification') as TaskName }];

/** What its answers mean. */
export const answerFactsOf = (card: ModelCard): AnswerFacts => ({
  inputs: inputsOf(card),
  outputs: outputsOf(card),
  labels: card.labels,
  target: card.target,
});

/** Whether it tells apart what pictures show: the page is one for a picture then, and else a form of its inputs. */
export const isPictureReader = ({ inputShape, task }: ModelCard): boolean =>
  inputShape !== undefined && task === undefined;

/** Numbers of all inputs of one example. */
export const rowSizeOf = (card: ModelCard): number =>
  inputsOf(card).reduce((sum, { shape }) => sum + sizeOf(shape), 0);

/** Where a model comes from. */
export interface ModelTraining {
  /** Rounds of federated averaging, and the clients among which the data were dealt. */
  readonly rounds: number;
  readonly clients: number;
  /** When the last of these rounds ended, in ISO 8601. */
  readonly finishedAt: string;
}

/** Names of a model's input and output. */
export interface ModelSignature {
  /** E.g. `conv2d_input`. */
  readonly input: string;
  /** E.g. `dense`. */
  readonly output: string;
}

/** The result of an accuracy test. */
export interface ModelAccuracy {
  /** Share of right answers, 0 to 1. */
  readonly accuracy: number;
  /** Mean cross-entropy; null where it was not finite. */
  readonly loss: number | null;
  /** Number of test images. */
  readonly examples: number;
  /** The mistakes made most often, the worst first. */
  readonly confusions?: readonly Confusion[];
}

/** The result of a test by one metric. */
export interface ModelTest {
  /** E.g. `rmse`. */
  readonly metric: string;
  readonly value: number;
  /** Number of test examples. */
  readonly examples: number;
}

/** A model that answers. */
export interface Predictor {
  /** Facts of the loaded model; undefined while none can answer. */
  card(): ModelCard | undefined;
  /**
   * What the model says of `count` images or other examples: class probabilities, or the numbers of another task.
   *
   * @param images `[count, h, w, c]`, in the numbers of the card's scale; of several inputs, for each example the numbers
   *   of all of them, one after the other. The caller must not use them afterwards
   * @returns `[count, classes]`, each row of probabilities sums to 1; of several outputs, for each example the numbers of
   *   all of them, one after the other
   * @throws {PredictorUnavailableError} when the model is not there, or went away before it answered
   */
  predict(images: Float32Array, count: number): Promise<Float32Array>;
  /** Lets go of the model; what is asked then is refused. */
  close(): Promise<void>;
}
