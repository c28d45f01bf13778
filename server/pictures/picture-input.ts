/** A picture as an input of a model, whatever else the model takes and answers: fitted into it without stretching. */
import { type InputShape, prepare } from '../../lib/digits/preprocess.js';
import { rescale, UNIT_SCALE } from '../../lib/federation/pixel-scale.js';
import type { RequestTensor } from '../codecs/tensor.js';
import type { ServedInput } from '../models/served-facts.js';
import { decodeImage } from './decode-image.js';

/** The picture in some bytes as one example of an input. @throws {HttpProblem} when they are no picture that can be read */
export async function pictureTensor(
  bytes: Uint8Array,
  { shape: [height = 1, width = 1, channels = 1], scale }: Pick<ServedInput, 'shape' | 'scale'>,
): Promise<RequestTensor> {
  const shape: InputShape = [height, width, channels];
  const { parts } = prepare(await decodeImage(bytes), { shape, subject: 'picture' });
  const input = parts[0]?.[0]?.candidates[0]?.input;
  if (input === undefined) throw new RangeError('a prepared picture has no parts');
  const values = Float32Array.from(input.values);
  rescale(values, { channels, from: UNIT_SCALE, to: scale ?? UNIT_SCALE });
  return { shape: [1, ...shape], values };
}
