/** What a model has to fit: the shape of the images and the number of classes of some examples. */
import { DataError } from '../core/errors.js';
import { formatShape, sizeOf } from '../core/weights.js';
import { type Examples, imageShape } from '../federation/examples.js';
import type { Model } from './model-description.js';
import type { ModelTask } from './model-zoo.js';
import { classCount } from './parameters.js';

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
  const { inputShape } = model.description;
  const given = imageShape(examples);
  const takes =
    inputShape.length === 1
      ? sizeOf(inputShape) === sizeOf(given)
      : formatShape(inputShape) === formatShape(given);
  if (!takes) {
    throw new DataError({
      file: path,
      expected: `images of shape ${formatShape(inputShape)} as the model takes them`,
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
