/** The embedded dataset: handwritten-like digits, made from a seed. */
import { setImmediate } from 'node:timers/promises';
import { permutation, randomStream } from '../../lib/core/random.js';
import { type Dataset, type Examples, labelledImages } from '../../lib/federation/examples.js';
import { drawDigit } from './digit.js';
import { IMAGE_SIZE } from './place.js';

/** Changes whenever the same seed gives other pixels, so that no cache goes on serving the old ones. */
export const GENERATOR_VERSION = 2;

/** How many classes there are. */
export const DIGITS = 10;

/** Which digits to generate; the same settings always make the same bytes. */
export interface DigitsSettings {
  readonly seed: number;
  /** Number of training examples. */
  readonly train: number;
  /** Number of held-out examples, from random streams of their own: no hand of the training set wrote them. */
  readonly test: number;
}

/** Size and seed of the dataset that the name `digits` stands for. */
export const DEFAULT_DIGITS: DigitsSettings = { seed: 0, train: 6_000, test: 1_000 };

/** How to follow and stop a generation. */
interface GenerateOptions {
  /** Told now and then how many examples there are. */
  readonly onProgress?: (examples: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Examples between two looks at what else the program has to do, such as stopping: some 50 ms. */
const EXAMPLES_AT_ONCE = 500;

/** Training and test images `[n, 28, 28]`, uint8, white on black; classes balanced to within one example. */
export async function generateDigits(
  { seed, train, test }: DigitsSettings,
  { onProgress, signal }: GenerateOptions = {},
): Promise<Required<Dataset>> {
  const onward = (before: number): GenerateOptions => ({
    onProgress: (examples) => onProgress?.(before + examples),
    signal,
  });
  return {
    train: await generateSplit({ seed, split: 'train', count: train }, onward(0)),
    test: await generateSplit({ seed, split: 'test', count: test }, onward(train)),
  };
}

interface Split {
  readonly seed: number;
  readonly split: 'train' | 'test';
  readonly count: number;
}

async function generateSplit(
  { seed, split, count }: Split,
  { onProgress, signal }: GenerateOptions,
): Promise<Examples> {
  const pixels = IMAGE_SIZE * IMAGE_SIZE;
  const images = new Uint8Array(count * pixels);
  const labels = new Int32Array(count);
  for (let index = 0; index < count; index++) {
    const label = labelOf({ seed, split, index });
    labels[index] = label;
    images.set(drawDigit(label, randomStream(seed, 'digits', split, index)), index * pixels);
    if ((index + 1) % EXAMPLES_AT_ONCE !== 0 && index + 1 !== count) continue;
    onProgress?.(index + 1);
    await setImmediate();
    signal?.throwIfAborted();
  }
  return labelledImages([count, IMAGE_SIZE, IMAGE_SIZE], images, labels);
}

interface Place {
  readonly seed: number;
  readonly split: string;
  readonly index: number;
}

/** Each ten examples in a row are the ten digits in a random order, so that every stride deals a fair mixture. */
function labelOf({ seed, split, index }: Place): number {
  const ten = permutation(DIGITS, randomStream(seed, 'digits', split, 'labels', Math.floor(index / DIGITS)));
  return ten[index % DIGITS] as number;
}
