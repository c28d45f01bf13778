/** Class weights: what is read, and what each example counts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readClassWeights, trainingWeights } from './class-weights.js';
import { labelledImages, onlyTargets } from './examples.js';

const examples = labelledImages([4, 1, 1], new Uint8Array(4), Int32Array.of(0, 2, 0, 0));

test('class weights are read, or refused', () => {
  assert.equal(readClassWeights('balanced'), 'balanced');
  assert.equal(readClassWeights('0:1, 01:2.50'), '0:1,1:2.5');
  for (const text of ['', '1', '0:-1', '0:', 'a:1', '0:1:2', '0:1,'])
    assert.equal(readClassWeights(text), undefined);
});

test('each example counts by its class, and by its own weight', () => {
  assert.equal(trainingWeights(examples, undefined), undefined);
  assert.deepEqual(trainingWeights(examples, '2:5'), Float32Array.of(1, 5, 1, 1));
  const even = trainingWeights(examples, 'balanced') as Float32Array;
  assert.deepEqual(even, Float32Array.of(2 / 3, 2, 2 / 3, 2 / 3));
  const own = { ...examples, weights: Float32Array.of(1, 0.5, 1, 0) };
  assert.deepEqual(trainingWeights(own, '0:2'), Float32Array.of(2, 0.5, 2, 0));
  const numbers = { ...examples, targets: onlyTargets({ shape: [4, 1], values: new Float32Array(4) }) };
  assert.throws(() => trainingWeights(numbers, 'balanced'), /Class weights balanced go with labels/);
});
