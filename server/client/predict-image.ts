/** Asking a server about a picture: prepared here for the model's signature. */
import { DataError } from '../../lib/core/errors.js';
import { type InputShape, preprocess } from '../../lib/digits/preprocess.js';
import { type PixelScale, rescale, scaleOf, UNIT_SCALE } from '../../lib/federation/pixel-scale.js';
import { readFileBytes } from '../../lib/formats/files/read-file.js';
import type { Prediction } from '../../lib/formats/stage-results.js';
import { HttpProblem } from '../../lib/http/problems.js';
import { wordsOfAnswers } from '../models/answer-words.js';
import { decodeImage, pictureOptions, pictureTensor, prepareImage } from '../pictures/decode-image.js';
import type { NumbersAnswer } from './predict-numbers.js';
import { noPictureModel, onlySignature, type Question, rowsOf, toldFacts } from './serving-client.js';

/** Of a model that tells what pictures show; of any other one in the words of its task. */
export type PictureAnswer = Prediction | NumbersAnswer;

/**
 * The question what a model says of a picture: which class it shows, or in words of another task.
 *
 * @param given black and white in the model's input; by default what the server says, else 0 and 1
 * @throws {DataError} when the file cannot be read; as a question, when it is no picture
 */
export async function pictureQuestion(
  image: string,
  given: PixelScale | undefined,
): Promise<Question<PictureAnswer>> {
  const bytes = await readFileBytes(image, 'a picture');
  return async (client, address) => {
    const signature = await client.signature();
    const facts = toldFacts(signature, address);
    if (facts?.inputs !== undefined) {
      const [only, ...others] = facts.inputs;
      if (only?.isPicture !== true || others.length > 0) throw noPictureModel(address);
      const wanted = { ...only, scale: given ?? only.scale };
      const tensor = await asPicture(image, async () =>
        pictureTensor(await prepareImage(bytes, pictureOptions(wanted)), wanted),
      );
      const said = await client.predict({ [only.name]: tensor }, signature);
      return { answers: wordsOfAnswers(rowsOf(said, { facts, count: 1, address }), 1, facts) };
    }
    const { input, shape, output } = onlySignature(address, signature);
    const values = await prepare(bytes, { image, shape });
    const [, , , channels = 1] = shape;
    rescale(values, { channels, from: UNIT_SCALE, to: given ?? scaleOf(signature.scale) });
    const found = await client.predict({ [input]: { values, shape: [1, ...shape.slice(1)] } }, signature);
    const probabilities = found[output] ?? [];
    return {
      prediction: probabilities.indexOf(probabilities.reduce((most, each) => Math.max(most, each), 0)),
      probabilities,
    };
  };
}

async function prepare(
  bytes: Uint8Array,
  { image, shape }: { readonly image: string; readonly shape: readonly number[] },
): Promise<Float32Array> {
  const { blank, values } = await asPicture(image, async () =>
    preprocess(await decodeImage(bytes), imageShape(shape)),
  );
  if (blank) throw new DataError({ file: image, expected: 'something to read', found: 'a blank picture' });
  return values;
}

/** What the decoder refuses is bad data here. */
async function asPicture<T>(image: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (!(cause instanceof HttpProblem)) throw cause;
    const found = cause.message.replace(/^Expected .*, found /, '').replace(/\.$/, '');
    throw new DataError({ file: image, expected: 'a PNG, JPEG, WebP, GIF or AVIF image', found }, { cause });
  }
}

/** `[n, h, w, c]`, `[n, h, w]`, or `[n, h·w]` of a square grey image, as the engine reads them. */
function imageShape(shape: readonly number[]): InputShape {
  const [, height = 28, width, channels = 1] = shape;
  if (width !== undefined) return [height, width, channels];
  const side = Math.round(Math.sqrt(height));
  return [side, side, 1];
}
