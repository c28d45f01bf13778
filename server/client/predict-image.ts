/** The client's main path: ask for the model's signature, prepare the picture for it, ask for probabilities. */
import { DataError, StageError } from '../../lib/core/errors.js';
import { type InputShape, preprocess } from '../../lib/digits/preprocess.js';
import { type PixelScale, rescale, scaleOf, UNIT_SCALE } from '../../lib/federation/pixel-scale.js';
import { readFileBytes } from '../../lib/formats/files/read-file.js';
import type { Prediction } from '../../lib/formats/stage-results.js';
import { decodeImage } from '../pictures/decode-image.js';
import { HttpProblem } from '../problems.js';
import { askByGrpc } from './grpc-client.js';
import { askByRest } from './rest-client.js';
import { OtherProtocolError, type ServingClient, type ServingClientOptions } from './serving-client.js';

/** Settings of `fedbatch predict`. */
export interface PredictOptions extends Omit<ServingClientOptions, 'token' | 'signal'> {
  readonly image: string;
  /** Found out by trying where it is not given. */
  readonly protocol?: 'rest' | 'grpc';
  readonly tokenFile?: string;
  /** Which numbers are black and white in the model's input; by default what the server says, else 0 and 1. */
  readonly scale?: PixelScale | undefined;
}

/**
 * Asks a server about the picture in a file.
 *
 * @throws {DataError} when the picture cannot be read
 * @throws {StageError} when the server cannot be reached, or refuses
 */
export async function predictImage(
  { image, protocol, tokenFile, scale, ...options }: PredictOptions,
  signal: AbortSignal,
): Promise<Prediction> {
  const bytes = await readFileBytes(image, 'a picture');
  const token =
    tokenFile === undefined
      ? undefined
      : Buffer.from(await readFileBytes(tokenFile, 'a file with a token'))
          .toString('utf8')
          .trim();
  const settings = { ...options, signal, ...(token === undefined ? {} : { token }) };
  const ask = (client: ServingClient) => askWith(client, { bytes, image, scale });
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

/** Asks, and closes the client. */
async function askWith(
  client: ServingClient,
  { bytes, image, scale }: Pick<PredictOptions, 'image' | 'scale'> & { readonly bytes: Uint8Array },
): Promise<Prediction> {
  try {
    const signature = await client.signature();
    const values = await prepare(bytes, { image, shape: signature.shape });
    const [, , , channels = 1] = signature.shape;
    rescale(values, { channels, from: UNIT_SCALE, to: scale ?? scaleOf(signature.scale) });
    const probabilities = await client.predict(values, signature);
    return {
      prediction: probabilities.indexOf(probabilities.reduce((most, each) => Math.max(most, each), 0)),
      probabilities,
    };
  } finally {
    client.close();
  }
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
