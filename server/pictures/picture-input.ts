/** A picture as an input of a model, whatever else the model takes and answers: fitted into it without stretching. */
import { type InputShape, prepare } from '../../lib/digits/preprocess.js';
import { rescale, UNIT_SCALE } from '../../lib/federation/pixel-scale.js';
import type { RequestTensor } from '../codecs/tensor.js';
import type { ServedInput } from '../models/served-facts.js';
import type { GivenImage } from './decode-image.js';

/** A picture as one example of an input. */
export function pictureTensor(
  picture: GivenImage,
  { shape: [height = 1, width = 1, channels = 1], scale }: Pick<ServedInput, 'shape' | 'scale'>,
): RequestTensor {
  const shape: InputShape = [height, width, channels];
  const { parts } = prepare(picture, { shape, subject: 'picture' });
  const input = parts[0]?.[0]?.candidates[0]?.input;
  if (input === undefined) throw new RangeError('a prepared picture has no parts');
  const values = Float32Array.from(input.values);
  rescale(values, { channels, from: UNIT_SCALE, to: scale ?? UNIT_SCALE });
  return { shape: [1, ...shape], values };
}
