/** Between a request and a model: whether a tensor is a batch of its images. */
import { formatShape, sizeOf } from '../../lib/core/weights.js';
import { rescale, UNIT_SCALE } from '../../lib/federation/pixel-scale.js';
import type { Codecs } from '../codecs/codecs.js';
import { bad, type RequestTensor } from '../codecs/tensor.js';
import type { ModelCard } from '../models/predictor.js';
import type { ServedModels } from '../models/served-models.js';
import { HttpProblem } from '../problems.js';

/** What every route of the API works with. */
export interface ApiParts {
  readonly models: ServedModels;
  readonly codecs: Codecs;
}

/** Model inputs: `values` is `[count, h, w, c]`. */
interface ImageBatch {
  readonly values: Float32Array;
  readonly count: number;
}

/**
 * A tensor as images: `[n, h, w, c]`, `[n, h, w]` of one channel, `[n, h·w·c]`, or one image where it need not be a batch.
 *
 * @throws {HttpProblem} 400 for any other shape, however many numbers it has
 */
export function imageBatchOf(
  { shape, values, isLevels = false }: RequestTensor,
  { inputShape, scale }: Pick<ModelCard, 'inputShape' | 'scale'>,
  { isBatch = false } = {},
): ImageBatch {
  const [height, width, channels] = inputShape;
  if (isLevels && scale !== undefined) rescale(values, { channels, from: UNIT_SCALE, to: scale });
  const images = channels === 1 ? [[height, width], inputShape] : [inputShape];
  if (!isBatch && images.some((each) => isSame(shape, each))) return { values, count: 1 };
  const [count = 0, ...rest] = shape;
  const fits = [...images, [sizeOf(inputShape)]].some((each) => isSame(rest, each));
  if (fits && count > 0) return { values, count };
  const hint = channels > 1 && isSame(rest, [channels, height, width]) ? ': channels come last' : '';
  throw bad(`a tensor of shape ${formatShape([-1, ...inputShape])}`, `shape ${formatShape(shape)}${hint}`);
}

/** @throws {HttpProblem} 400 where the model tells no classes apart */
export function requireClasses({ task }: Pick<ModelCard, 'task'>): void {
  if (task === undefined) return;
  throw new HttpProblem(
    400,
    `The model is one of ${task} and tells no classes apart: ask for its numbers with :predict or /infer.`,
  );
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((extent, index) => extent === b[index]);
}

const JSON_BYTES_PER_NUMBER = 12;

/** About how long some probabilities are in JSON. */
export function jsonBytes({ length }: Float32Array): number {
  return length * JSON_BYTES_PER_NUMBER;
}
