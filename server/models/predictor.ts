/** What the server asks of a model: its facts and its predictions, wherever the model runs. */
import type { PixelScale } from '../../lib/federation/pixel-scale.js';
import type { Confusion } from '../../lib/formats/confusions.js';

/** Facts of a loaded model, as `GET /model` answers them. */
export interface ModelCard {
  /** Name of the model file, without its directory. */
  readonly file: string;
  /** sha256 of the file, 64 hexadecimal digits. */
  readonly sha256: string;
  /** Shape of one input: `[h, w, c]`. */
  readonly inputShape: readonly [height: number, width: number, channels: number];
  /** Which numbers are black and white in the input, where the file or `--scale` says so; else 0 and 1. */
  readonly scale?: PixelScale;
  /** What the model has learned, where that is not to tell classes apart: it puts out other numbers then. */
  readonly task?: string;
  /** Number of classes, or of other outputs. */
  readonly classes: number;
  /** The engine that runs the model, e.g. `onnx/cpu`. */
  readonly engine: string;
  /** What the API calls the model's input and output: as Keras names them when it exports a model. */
  readonly signature: ModelSignature;
  /** Name of each class, where a labels file gives them. */
  readonly labels?: readonly string[];
  /** What the accuracy test found for exactly this file, where its record lies beside it. */
  readonly accuracy?: ModelAccuracy;
  /** How it was trained, where the records of that run lie beside it. */
  readonly training?: ModelTraining;
}

/** Where a model comes from. */
export interface ModelTraining {
  /** Rounds of federated averaging, and the clients among which the data were dealt. */
  readonly rounds: number;
  readonly clients: number;
  /** When the last of these rounds ended, in ISO 8601. */
  readonly finishedAt: string;
}

/** Names of a model's one input and one output. */
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

/** A model that answers. */
export interface Predictor {
  /** Facts of the loaded model; undefined while none can answer. */
  card(): ModelCard | undefined;
  /**
   * What the model says of `count` images: class probabilities, or the numbers of another task.
   *
   * @param images `[count, h, w, c]`, in the numbers of the card's scale; the caller must not use them afterwards
   * @returns `[count, classes]`; each row of probabilities sums to 1
   * @throws {PredictorUnavailableError} when the model is not there, or went away before it answered
   */
  predict(images: Float32Array, count: number): Promise<Float32Array>;
  /** Lets go of the model; what is asked then is refused. */
  close(): Promise<void>;
}
