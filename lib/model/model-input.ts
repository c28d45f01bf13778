/** From stored examples to what a model takes: their shape and classes, their scale, a batch of them. */
import { DataError } from '../core/errors.js';
import { formatShape, sizeOf } from '../core/weights.js';
import { type Examples, imageShape } from '../federation/examples.js';
import {
  describeScale,
  findScale,
  formatScale,
  inputScale,
  isNear,
  MAX_PIXEL,
  type PixelScale,
  rescale,
  scaleOf,
  UNIT_SCALE,
} from '../federation/pixel-scale.js';
import type { Model } from './model-description.js';
import type { ModelTask } from './model-zoo.js';
import { classCount, inputShape } from './parameters.js';

/** Highest label that occurs. */
function highestLabel(examples: Examples): number {
  return examples.labels.reduce((highest, label) => Math.max(highest, label), 0);
}

/** The task that `examples` pose; `classes` overrides what the labels show, since a shard may lack some. */
export function taskOf(examples: Examples, classes?: number): ModelTask {
  return { inputShape: imageShape(examples), classes: classes ?? highestLabel(examples) + 1 };
}

/**
 * Makes sure that a model can take these examples.
 *
 * @param path the file of the examples, for errors
 * @throws {DataError} when image size or number of classes disagree
 */
export function requireFit(model: Model, examples: Examples, path: string): void {
  const shape = inputShape(model.description);
  const given = imageShape(examples);
  const takes =
    shape.length === 1
      ? sizeOf(shape) === sizeOf(given)
      : // An image without an axis for its only channel is one with it.
        formatShape(shape) === formatShape(shape.length === 2 && given[2] === 1 ? given.slice(0, 2) : given);
  if (!takes) {
    throw new DataError({
      file: path,
      expected: `images of shape ${formatShape(shape)} as the model takes them`,
      found: `images of shape ${formatShape(given)}`,
    });
  }
  const classes = classCount(model.description);
  const highest = highestLabel(examples);
  if (highest >= classes) {
    throw new DataError({
      file: path,
      expected: `labels from 0 to ${classes - 1}, the classes of the model`,
      found: `label ${highest}`,
    });
  }
}

/** The images at `picks` as `[picks.length, h, w, c]`; floats are taken as they are. */
export function batchImages(examples: Examples, picks: ArrayLike<number>): Float32Array {
  const sizePerImage = examples.images.length / Math.max(1, examples.labels.length);
  const scale = examples.images instanceof Uint8Array ? 1 / MAX_PIXEL : 1;
  const batch = new Float32Array(picks.length * sizePerImage);
  for (let to = 0; to < picks.length; to++) {
    const from = (picks[to] as number) * sizePerImage;
    const base = to * sizePerImage;
    for (let at = 0; at < sizePerImage; at++)
      batch[base + at] = (examples.images[from + at] as number) * scale;
  }
  return batch;
}

/** The scale of a model that is to be trained on these examples alone, as its file says it; undefined where 0 to 1. */
export function foundScale(examples: Examples): string | undefined {
  const finding = findScale(examples);
  if (finding.kind !== 'found') return undefined;
  return formatScale(inputScale(finding.scale, examples.images instanceof Uint8Array));
}

/** A model file and a file of examples. */
interface ScaleFit {
  /** What the file of the model says. */
  readonly scale: string | undefined;
  /** Path of the examples. */
  readonly path: string;
  /** What the manifest says of the examples, as a model is given them: their scale, or nothing that was unusual. */
  readonly known: PixelScale | 'usual' | undefined;
  readonly tell: (note: string) => void;
}

/**
 * The examples as the model takes them: converted, with a note, where their scale is another than the model's. A model
 * that says nothing of its scale gets them as they are.
 */
export function fitScale(examples: Examples, { scale, path, known, tell }: ScaleFit): Examples {
  const isUint8 = examples.images instanceof Uint8Array;
  if (scale === undefined && known !== undefined) return examples;
  const from = known === undefined || known === 'usual' ? scaleFound(examples, isUint8) : known;
  if (from === undefined) return examples;
  if (scale === undefined) {
    if (isNear(UNIT_SCALE, from)) return examples;
    tell(
      `${path}: pixels ${describeScale(from)}; the model says nothing of its scale, so they are taken as they are`,
    );
    return examples;
  }
  const to = scaleOf(scale);
  if (isNear(to, from)) return examples;
  tell(`${path}: pixels ${describeScale(from)}, converted to those of the model, ${describeScale(to)}`);
  const images = Float32Array.from(examples.images, (value) => (isUint8 ? value / MAX_PIXEL : value));
  rescale(images, { channels: imageShape(examples)[2], from, to });
  return { ...examples, images };
}

function scaleFound(examples: Examples, isUint8: boolean): PixelScale | undefined {
  const finding = findScale(examples);
  if (finding.kind === 'unknown') return undefined;
  return finding.kind === 'usual' ? UNIT_SCALE : inputScale(finding.scale, isUint8);
}
