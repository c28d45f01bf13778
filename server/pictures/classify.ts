/** The way of a picture through the server: decode, prepare, predict, and choose among the ways to take it. */

import type { Box } from '../../lib/digits/grey-image.js';
import type { Candidate, InputShape, ModelInput, PictureStep } from '../../lib/digits/preprocess.js';
import { rescale, UNIT_SCALE } from '../../lib/federation/pixel-scale.js';
import { HttpProblem, PredictorUnavailableError } from '../../lib/http/problems.js';
import { requireClasses } from '../api/model-rows.js';
import { withoutNoise } from '../codecs/answers.js';
import { sharesOfLogits } from '../models/answer-words.js';
import type { ModelCard } from '../models/model-card.js';
import type { Predictor } from '../models/predictor.js';
import { pictureDecoder } from './decode-apart.js';
import type { GivenImage } from './decode-image.js';

/** What is said about one digit (letter, picture). */
export interface DigitAnswer {
  /** The most probable class. */
  readonly prediction: number;
  /** Probability of each class; they sum to 1. */
  readonly probabilities: readonly number[];
  /** Where it is, in pixels of the upright picture as it was given. */
  readonly box: Box;
  /** The line of writing that it stands in, from 1 at the top. */
  readonly line: number;
}

/** What is said about a picture. */
export interface Answer {
  /** The most probable class, of the first digit where there are several; null where nothing was found. */
  readonly prediction: number | null;
  /** Its probabilities; none where nothing was found. */
  readonly probabilities: readonly number[];
  /** All digits, line by line from the top, in each line from the left; none where nothing that could be ink was found. */
  readonly digits: readonly DigitAnswer[];
}

/** A digit's answer and the pictures behind it. */
interface ReadDigit {
  readonly answer: DigitAnswer;
  readonly input: ModelInput;
  readonly stages: readonly PictureStep[];
}

/** An answer and the pictures behind it. */
export interface Classified {
  readonly answer: Answer;
  /** The picture as given, upright, at most 512 pixels a side, where it is to be shown. */
  readonly given?: GivenImage;
  /** What was done to the whole picture. */
  readonly stages: readonly PictureStep[];
  readonly read: readonly ReadDigit[];
  /** The model's input of the first digit; black where there is none. */
  readonly input: ModelInput;
  readonly inputShape: InputShape;
}

/**
 * Reads the picture in `bytes`.
 *
 * @param isShown with the pictures of all steps, to be looked at
 * @throws {HttpProblem} when the bytes are no picture that can be read
 * @throws {PredictorUnavailableError} when no model can answer
 */
export async function classify(
  bytes: Uint8Array,
  predictor: Predictor,
  { isShown = false }: { readonly isShown?: boolean } = {},
): Promise<Classified> {
  const card = predictor.card();
  if (card === undefined) throw new PredictorUnavailableError('The model is not loaded yet.');
  requireClasses(card);
  const { inputShape } = card;
  if (inputShape === undefined)
    throw new HttpProblem(
      400,
      'The model takes no pictures: give it numbers, on the page or with :predict or /infer.',
    );
  const options = { shape: inputShape, subject: subjectOf(card), isShown };
  const { blank, stages, parts, size, original, given } = await pictureDecoder.prepareImage(bytes, options);
  const shown = given === undefined ? {} : { given };
  const [nothing] = blank ? (parts[0]?.[0]?.candidates ?? []) : [];
  if (nothing !== undefined) {
    const answer = { prediction: null, probabilities: [], digits: [] };
    return { answer, ...shown, stages, read: [], input: nothing.input, inputShape };
  }
  const candidates = parts.flatMap((ways) => ways.flatMap((way) => way.candidates));
  const rows = await predictAll(candidates, { predictor, card });
  const scale = original.width / size.width;
  const chosen = parts.flatMap((ways) => {
    const scored = ways.map((way) => ({
      candidates: way.candidates,
      score: way.plausibility + CONFIDENCE_WEIGHT * confidence(way.candidates, rows),
    }));
    return scored.reduce((best, way) => (way.score > best.score ? way : best)).candidates;
  });
  const read = chosen.map((each): ReadDigit => {
    const probabilities = rows.get(each) ?? [];
    const prediction = probabilities.indexOf(largest(probabilities));
    const box = scaledBox(each.box, scale);
    const { line } = each;
    return { answer: { prediction, probabilities, box, line }, input: each.input, stages: each.stages };
  });
  const [first] = read;
  if (first === undefined) throw new RangeError('a prepared picture has no parts');
  const { prediction, probabilities } = first.answer;
  const answer = { prediction, probabilities, digits: read.map((each) => each.answer) };
  return { answer, ...shown, stages, read, input: first.input, inputShape };
}

/** Whether a model reads signs, as MNIST has them: one grey plane, and each class is called by one character. */
export function subjectOf({ inputShape, labels }: ModelCard): 'signs' | 'picture' {
  const isSign = labels === undefined || labels.every((label) => [...label].length === 1);
  return inputShape?.[2] === 1 && isSign ? 'signs' : 'picture';
}

/** Probabilities of each candidate, all predicted at once. */
async function predictAll(
  candidates: readonly Candidate[],
  { predictor, card }: { readonly predictor: Predictor; readonly card: ModelCard },
): Promise<ReadonlyMap<Candidate, readonly number[]>> {
  const size = candidates[0]?.input.values.length ?? 0;
  const images = new Float32Array(candidates.length * size);
  candidates.forEach(({ input }, at) => {
    images.set(input.values, at * size);
  });
  if (card.scale !== undefined)
    rescale(images, { channels: card.inputShape?.[2] ?? 1, from: UNIT_SCALE, to: card.scale });
  const all = await predictor.predict(images, candidates.length);
  const classes = all.length / candidates.length;
  const areLogits = card.outputs?.[0]?.isLogits === true;
  return new Map(
    candidates.map((each, at) => {
      const row = Array.from(all.subarray(at * classes, (at + 1) * classes), withoutNoise);
      return [each, areLogits ? sharesOfLogits(row) : row];
    }),
  );
}

/** How much the model's sureness counts beside the odds of split-signs.ts, with which this was fitted. */
const CONFIDENCE_WEIGHT = 5.7;

/** Mean logarithm of the best probability: how sure the model is of these signs, however many they are. */
function confidence(
  candidates: readonly Candidate[],
  rows: ReadonlyMap<Candidate, readonly number[]>,
): number {
  const logs = candidates.map((each) => Math.log(Math.max(1e-9, largest(rows.get(each) ?? []))));
  return logs.reduce((sum, log) => sum + log, 0) / Math.max(1, logs.length);
}

/** Of many classes, more than a call takes arguments. */
function largest(probabilities: readonly number[]): number {
  return probabilities.reduce((most, each) => Math.max(most, each), 0);
}

function scaledBox({ left, top, width, height }: Box, scale: number): Box {
  return {
    left: Math.round(left * scale),
    top: Math.round(top * scale),
    width: Math.max(1, Math.round(width * scale)),
    height: Math.max(1, Math.round(height * scale)),
  };
}

/** A model's input as rows of grey levels (or of `[r, g, b]`), 0 to 255: `[h][w]` (or `[h][w][3]`). */
export function pixelRows({ pixels }: ModelInput, [height, width, channels]: InputShape): readonly unknown[] {
  const pixel = (at: number) =>
    channels === 1 ? pixels[at] : Array.from(pixels.subarray(at * channels, (at + 1) * channels));
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_unused, x) => pixel(y * width + x)),
  );
}
