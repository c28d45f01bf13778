/** The embedded dataset: handwritten-like digits, made from a seed. */
import type { Dataset, Examples } from '../../lib/federation/examples.js';
import { permutation, randomStream } from '../../lib/federation/random.js';
import { drawDigit } from './digit.js';
import { IMAGE_SIZE } from './place.js';

/** Changes whenever the same seed gives other pixels. */
export const GENERATOR_VERSION = 1;

/** How many classes there are. */
export const DIGITS = 10;

/** What to generate. */
export interface DigitsSettings {
  readonly seed: number;
  /** Number of training examples. */
  readonly train: number;
  /** Number of held-out examples, written by other hands: from other random streams. */
  readonly test: number;
  /** Told after each example, with the number of examples so far. */
  readonly onExample?: (done: number) => void;
}

/** Sizes and seed of the dataset that the name `digits` stands for. */
export const DEFAULT_DIGITS = { seed: 0, train: 6_000, test: 1_000 } as const;

/** Training and test examples; images `[n, 28, 28]`, uint8, white on black; classes balanced to within one example. */
export function generateDigits({ seed, train, test, onExample }: DigitsSettings): Required<Dataset> {
  return {
    train: generateSplit({ seed, split: 'train', count: train, onExample: (done) => onExample?.(done) }),
    test: generateSplit({ seed, split: 'test', count: test, onExample: (done) => onExample?.(train + done) }),
  };
}

interface Split {
  readonly seed: number;
  readonly split: string;
  readonly count: number;
  readonly onExample: (done: number) => void;
}

function generateSplit({ seed, split, count, onExample }: Split): Examples {
  const pixels = IMAGE_SIZE * IMAGE_SIZE;
  const images = new Uint8Array(count * pixels);
  const labels = new Int32Array(count);
  for (let index = 0; index < count; index++) {
    const label = labelOf(seed, split, index);
    labels[index] = label;
    images.set(drawDigit(label, randomStream(seed, 'digits', split, index)), index * pixels);
    onExample(index + 1);
  }
  return { shape: [count, IMAGE_SIZE, IMAGE_SIZE], images, labels };
}

/** Each ten examples in a row are the ten digits in a random order, so that every stride deals a fair mixture. */
function labelOf(seed: number, split: string, index: number): number {
  const ten = permutation(DIGITS, randomStream(seed, 'digits', split, 'labels', Math.floor(index / DIGITS)));
  return ten[index % DIGITS] as number;
}
