/** A picture as an input of a model, whatever else the model takes and answers: fitted into it without stretching. */
import type { InputShape, Prepared, PrepareOptions } from '../../lib/digits/preprocess.js';
import { rescale, UNIT_SCALE } from '../../lib/federation/pixel-scale.js';
import type { RequestTensor } from '../codecs/tensor.js';
import type { ServedInput } from '../models/served-facts.js';

/** What a picture is prepared for. */
export function pictureOptions({ shape }: Pick<ServedInput, 'shape'>): PrepareOptions {
  return { shape: pictureShape(shape), subject: 'picture' };
}

/** A prepared picture as one example of an input. */
export function pictureTensor(
  { parts }: Pick<Prepared, 'parts'>,
  { shape, scale }: Pick<ServedInput, 'shape' | 'scale'>,
): RequestTensor {
  const [height, width, channels] = pictureShape(shape);
  const input = parts[0]?.[0]?.candidates[0]?.input;
  if (input === undefined) throw new RangeError('a prepared picture has no parts');
  const values = Float32Array.from(input.values);
  rescale(values, { channels, from: UNIT_SCALE, to: scale ?? UNIT_SCALE });
  return { shape: [1, height, width, channels], values };
}

function pictureShape([height = 1, width = 1, channels = 1]: readonly number[]): InputShape {
  return [height, width, channels];
}
