/** The way of a picture through the server: decode, prepare, predict. */
import { decodeImage, type RgbaImage } from './decode-image.js';
import { type Predictor, PredictorUnavailableError } from './predictor.js';
import { type ModelInput, preprocess } from './preprocess.js';

/** What is said about a picture. */
export interface Answer {
  /** The most probable class. */
  readonly prediction: number;
  /** Probability of each class; they sum to 1. */
  readonly probabilities: readonly number[];
  /** True where the picture is one even colour. */
  readonly blank: boolean;
}

/** An answer and the pictures behind it. */
export interface Classified {
  readonly answer: Answer;
  /** The picture as given, upright, at most 512 pixels a side. */
  readonly given: RgbaImage;
  readonly input: ModelInput;
  readonly inputShape: readonly [height: number, width: number, channels: number];
}

/**
 * Reads the picture in `bytes`.
 *
 * @throws {HttpProblem} when the bytes are no picture that can be read
 * @throws {PredictorUnavailableError} when no model can answer
 */
export async function classify(bytes: Uint8Array, predictor: Predictor): Promise<Classified> {
  const inputShape = predictor.card()?.inputShape;
  if (inputShape === undefined) throw new PredictorUnavailableError('The model is not loaded yet.');
  const given = await decodeImage(bytes);
  const input = preprocess(given, inputShape);
  const probabilities = Array.from(await predictor.predict(input.values.slice(), 1), withoutNoise);
  const prediction = probabilities.indexOf(Math.max(...probabilities));
  return { answer: { prediction, probabilities, blank: input.blank }, given, input, inputShape };
}

/** A float32 has some 7 significant digits; what JSON would write behind them is noise. */
function withoutNoise(value: number): number {
  return Number(value.toPrecision(8));
}

/** The model's input as rows of grey levels (or of `[r, g, b]`), 0 to 255: `[h][w]` (or `[h][w][3]`). */
export function pixelRows({ input, inputShape }: Classified): readonly unknown[] {
  const [height, width, channels] = inputShape;
  const pixel = (at: number) =>
    channels === 1 ? input.pixels[at] : Array.from(input.pixels.subarray(at * channels, (at + 1) * channels));
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_unused, x) => pixel(y * width + x)),
  );
}
