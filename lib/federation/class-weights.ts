/** How much examples of each class count in training: as text, and as a weight for each example. */
import { UsageError } from '../core/errors.js';
import { type Examples, labelsIn, MAX_CLASSES } from './examples.js';

/** All classes together count alike, as in scikit-learn: the number of examples / (classes that occur · examples of the class). */
const BALANCED = 'balanced';

/** Reads `balanced`, or `0:1,1:5`, where classes that are not named count 1; as it is written, or undefined. */
export function readClassWeights(text: string): string | undefined {
  if (text === BALANCED) return text;
  const pairs = text.split(',').map((pair) => pair.split(':').map((part) => part.trim()));
  const isGood = pairs.every(([label = '', weight = '', ...rest]) => {
    const isWeight = weight !== '' && Number(weight) >= 0 && Number.isFinite(Number(weight));
    return rest.length === 0 && /^\d+$/.test(label) && Number(label) < MAX_CLASSES && isWeight;
  });
  return isGood ? pairs.map(([label, weight]) => `${Number(label)}:${Number(weight)}`).join(',') : undefined;
}

/**
 * The weight of each example in training: its own times that of its class; undefined where all count 1.
 *
 * @throws {UsageError} for weights of classes where the targets are no labels
 */
export function trainingWeights(
  examples: Examples,
  classWeights: string | undefined,
): Float32Array | undefined {
  const { weights } = examples;
  if (classWeights === undefined) return weights;
  const labels = labelsIn(examples);
  if (labels === undefined)
    throw new UsageError(
      `Class weights ${classWeights} go with labels, and the targets of these examples are none.`,
    );
  const ofClass = classWeights === BALANCED ? balanced(labels) : named(classWeights);
  return Float32Array.from(labels, (label, at) => (ofClass.get(label) ?? 1) * (weights?.[at] ?? 1));
}

function balanced(labels: Int32Array): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return new Map([...counts].map(([label, count]) => [label, labels.length / (counts.size * count)]));
}

const named = (text: string): ReadonlyMap<number, number> =>
  new Map(text.split(',').map((pair) => pair.split(':').map(Number) as [number, number]));
