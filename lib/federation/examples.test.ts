/** Tests of labelled examples: what is taken, counted and named. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { partsOf, withParts } from '../../test/datasets.js';
import {
  concatExamples,
  countClasses,
  describeAllTargets,
  dtypeOf,
  type Examples,
  exampleCount,
  imageShape,
  imagesIn,
  isImages,
  labelHistogram,
  labelledImages,
  labelsIn,
  takeExamples,
  targetKinds,
} from './examples.js';

const labels = Int32Array.of(4, 0, 4);
const examples = labelledImages([3, 1, 2], Float32Array.of(0, 0.5, 1, 1.5, 2, 2.5), labels);

test('examples are taken in the order asked for, with their dtype', () => {
  assert.deepEqual(
    takeExamples(examples, [2, 0, 2]),
    labelledImages([3, 1, 2], Float32Array.of(2, 2.5, 0, 0.5, 2, 2.5), Int32Array.of(4, 4, 4)),
  );
  assert.deepEqual(partsOf(takeExamples(examples, [])).shape, [0, 1, 2]);
  const wide = withParts(examples, { images: Float64Array.from(partsOf(examples).images) });
  assert.equal(dtypeOf(partsOf(takeExamples(wide, [1])).images), 'float64');
  assert.equal(dtypeOf(new Uint8Array(1)), 'uint8');
});

test('several inputs, targets of several outputs and weights are taken and put together row by row', () => {
  const table: Examples = {
    inputs: [
      { name: 'a', shape: [2, 1], values: Int32Array.of(7, 8) },
      { name: 'b', shape: [2, 2], values: Float32Array.of(1, 2, 3, 4) },
    ],
    targets: [
      { name: 'price', shape: [2, 2], values: Float32Array.of(0.1, 0.2, 0.3, 0.4) },
      { name: 'kind', shape: [2], values: Int32Array.of(3, 1) },
    ],
    weights: Float32Array.of(1, 0.5),
  };
  assert.deepEqual(concatExamples([takeExamples(table, [0]), takeExamples(table, [1])]), table);
  assert.equal(exampleCount(table), 2);
  assert.equal(imagesIn(table), undefined);
  assert.deepEqual(
    [targetKinds(table), targetKinds(examples), labelsIn(table), describeAllTargets(table)],
    [
      { price: 'numbers', kind: 'labels' },
      'labels',
      undefined,
      'price: 2 numbers for each example, kind: labels',
    ],
  );
});

test('images are told from other inputs', () => {
  const of = (shape: readonly number[], values = new Float32Array(0)) => isImages({ shape, values });
  assert.deepEqual(
    [of([9, 28, 28]), of([9, 5, 7, 3]), of([9, 80, 8]), of([9, 4]), of([9, 5, 7, 8])],
    [true, true, false, false, false],
  );
  assert.ok(isImages({ shape: [9, 80, 8], values: new Uint8Array(0) }));
  assert.ok(!isImages({ shape: [9, 8, 8], values: new Int32Array(0) }));
});

test('an image of two dimensions has one channel', () => {
  assert.deepEqual(imageShape({ shape: [3, 1, 2] }), [1, 2, 1]);
  assert.deepEqual(imageShape({ shape: [1, 1, 2, 3] }), [1, 2, 3]);
});

test('labels are counted', () => {
  assert.equal(countClasses(labels), 5);
  assert.equal(countClasses(Int32Array.of(0), labels, Int32Array.of(7)), 8);
  assert.deepEqual(labelHistogram(labels, 6), [1, 0, 0, 0, 2, 0]);
});
