/** The model files that real Keras versions wrote, for tests; `fixtures/make_keras_fixtures.py` makes them. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Seen from `dist/test`. */
const DIRECTORY = new URL('../../lib/formats/fixtures/', import.meta.url);

/** Every fixture with a model, by the version that wrote it. */
export const KERAS_FIXTURES = [
  'keras122-cnn',
  'keras208-cnn',
  'keras224-cnn',
  'tf113-cnn-gzip',
  'tf113-float64-float16',
  'keras2-cnn-adam',
  'keras2-mlp-uncompiled',
  'keras2-batchnorm-sgd',
  'keras2-named',
  'keras3-cnn-adam',
  'keras3-mlp-uncompiled',
  'keras3-batchnorm-sgd',
] as const;

/** What Keras itself says about a fixture. */
interface KerasExpectation {
  readonly layers: readonly string[];
  /** `[h, w, c]` */
  readonly inputShape: readonly number[];
  readonly weights: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly sum: number;
    readonly first: readonly number[];
  }[];
  /** `[n, classes]` for {@link fixedImages}. */
  readonly predictions: readonly (readonly number[])[];
}

/** Path of a file among the fixtures. */
export function fixturePath(name: string): string {
  return fileURLToPath(new URL(name, DIRECTORY));
}

/** What is expected of the fixture `name`. */
export function kerasExpectation(name: string): KerasExpectation {
  return JSON.parse(readFileSync(fixturePath(`${name}.json`), 'utf8')) as KerasExpectation;
}

/** The images whose predictions the fixtures hold, `[count, ...shape]`: value i is (37 i mod 101) / 101. */
export function fixedImages(count: number, shape: readonly number[]): Float32Array {
  const length = shape.reduce((product, extent) => product * extent, count);
  return Float32Array.from({ length }, (_, index) => ((index * 37) % 101) / 101);
}
