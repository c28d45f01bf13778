/** Tests of labelled examples: what is taken, counted and named. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countClasses, imageDtype, imageShape, labelHistogram, takeExamples } from './examples.js';

const examples = {
  shape: [3, 1, 2],
  images: Float32Array.of(0, 0.5, 1, 1.5, 2, 2.5),
  labels: Int32Array.of(4, 0, 4),
};

test('examples are taken in the order asked for, with their dtype', () => {
  assert.deepEqual(takeExamples(examples, [2, 0, 2]), {
    shape: [3, 1, 2],
    images: Float32Array.of(2, 2.5, 0, 0.5, 2, 2.5),
    labels: Int32Array.of(4, 4, 4),
  });
  assert.deepEqual(takeExamples(examples, []).shape, [0, 1, 2]);
  const wide = { ...examples, images: Float64Array.from(examples.images) };
  assert.equal(imageDtype(takeExamples(wide, [1]).images), 'float64');
  assert.equal(imageDtype(new Uint8Array(1)), 'uint8');
});

test('an image of two dimensions has one channel', () => {
  assert.deepEqual(imageShape(examples), [1, 2, 1]);
  assert.deepEqual(imageShape({ ...examples, shape: [1, 1, 2, 3] }), [1, 2, 3]);
});

test('labels are counted', () => {
  assert.equal(countClasses(examples.labels), 5);
  assert.equal(countClasses(Int32Array.of(0), examples.labels, Int32Array.of(7)), 8);
  assert.deepEqual(labelHistogram(examples.labels, 6), [1, 0, 0, 0, 2, 0]);
});
