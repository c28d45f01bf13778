/** The client's main path: ask for the model's signature, prepare a picture or numbers for it, ask what it says. */
import { DataError, StageError, UsageError } from '../../lib/core/errors.js';
import { type InputShape, preprocess } from '../../lib/digits/preprocess.js';
import { type PixelScale, rescale, scaleOf, UNIT_SCALE } from '../../lib/federation/pixel-scale.js';
import { readFileBytes } from '../../lib/formats/files/read-file.js';
import type { Prediction } from '../../lib/formats/stage-results.js';
import { decodeImage } from '../pictures/decode-image.js';
import { HttpProblem } from '../problems.js';
import { askByGrpc } from './grpc-client.js';
import { askNumbers, type NumbersAnswer, readNumbers } from './predict-numbers.js';
import { askByRest } from './rest-client.js';
import {
  OtherProtocolError,
  onlySignature,
  type ServingClient,
  type ServingClientOptions,
} from './serving-client.js';

/** Settings of `fedbatch predict`. */
export interface PredictOptions extends Omit<ServingClientOptions, 'token' | 'signal'> {
  /** A picture, or numbers: JSON as `:predict` takes it, or a file of it, or an npz. */
  readonly image?: string | undefined;
  readonly input?: string | undefined;
  /** Found out by trying where it is not given. */
  readonly protocol?: 'rest' | 'grpc';
  readonly tokenFile?: string;
  /** Which numbers are black and white in the model's input; by default what the server says, else 0 and 1. */
  readonly scale?: PixelScale | undefined;
}

/**
 * Asks a server about the picture in a file, or about numbers.
 *
 * @throws {DataError} when the picture or the numbers cannot be read
 * @throws {UsageError} when neither is given, or both
 * @throws {StageError} when the server cannot be reached, or refuses
 */
export async function predictImage(
  { image, input, protocol, tokenFile, scale, ...options }: PredictOptions,
  signal: AbortSignal,
): Promise<Prediction | NumbersAnswer> {
  if ((image === undefined) === (input === undefined))
    throw new UsageError('Expected either --image with a picture or --input with numbers.');
  const bytes = image === undefined ? undefined : await readFileBytes(image, 'a picture');
  const tensors = input === undefined ? {} : await readNumbers(input);
  const token =
    tokenFile === undefined
      ? undefined
      : Buffer.from(await readFileBytes(tokenFile, 'a file with a token'))
          .toString('utf8')
          .trim();
  const settings = { ...options, signal, ...(token === undefined ? {} : { token }) };
  const address = `${options.host}:${options.port}`;
  const ask = async (client: ServingClient) => {
    try {
      if (bytes === undefined) return await askNumbers(client, { tensors, address });
      return await askPicture(client, { bytes, image: image as string, scale, address });
    } finally {
      client.close();
    }
  };
  if (protocol === 'grpc') return ask(askByGrpc(settings));
  if (protocol === 'rest') return ask(askByRest(settings));
  return ask(askByRest(settings)).catch((notRest: unknown) => {
    if (!(notRest instanceof OtherProtocolError)) throw notRest;
    return ask(askByGrpc(settings)).catch((error: unknown) => {
      if (!(error instanceof OtherProtocolError)) throw error;
      const what = `${options.host}:${options.port}: what answers there speaks neither HTTP nor gRPC; check --port and --tls.`;
      throw new StageError('predict', what, { cause: error });
    });
  });
}

interface PictureQuestion {
  readonly bytes: Uint8Array;
  readonly image: string;
  readonly scale: PixelScale | undefined;
  readonly address: string;
}

async function askPicture(
  client: ServingClient,
  { bytes, image, scale, address }: PictureQuestion,
): Promise<Prediction> {
  const signature = await client.signature();
  const { input, shape, output } = onlySignature(address, signature);
  const values = await prepare(bytes, { image, shape });
  const [, , , channels = 1] = shape;
  rescale(values, { channels, from: UNIT_SCALE, to: scale ?? scaleOf(signature.scale) });
  const found = await client.predict({ [input]: { values, shape: [1, ...shape.slice(1)] } }, signature);
  const probabilities = found[output] ?? [];
  return {
    prediction: probabilities.indexOf(probabilities.reduce((most, each) => Math.max(most, each), 0)),
    probabilities,
  };
}

async function prepare(
  bytes: Uint8Array,
  { image, shape }: { readonly image: string; readonly shape: readonly number[] },
): Promise<Float32Array> {
  try {
    const { blank, values } = preprocess(await decodeImage(bytes), imageShape(shape));
    if (blank) throw new DataError({ file: image, expected: 'something to read', found: 'a blank picture' });
    return values;
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
