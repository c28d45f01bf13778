/** Tests of the report's words for numbers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lossText, metricText } from './format.js';

test('figures of any size have about five digits, accuracies are percentages', () => {
  assert.equal(metricText('accuracy', 0.97534), '97.53 %');
  const texts = [0.031249, -0.5, 1.0129, 9.99999, 82.1531, 752.4761, 1845.598, 25000.4, 3406231.9921];
  assert.deepEqual(
    texts.map((value) => metricText('rmse', value)),
    ['0.0312', '-0.5000', '1.0129', '10.0000', '82.153', '752.48', '1,845.6', '25,000', '3,406,232'],
  );
  assert.equal(lossText(0), '0.0000');
  assert.equal(lossText(null), 'not finite');
});
