/** The worst mistakes of a test: the wrong answers with the largest loss, in order, and no more than a dozen. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { onlyTargets } from '../federation/examples.js';
import type { Task } from '../model/tasks/task.js';
import { worstMistakes } from './mistakes.js';

const CLASSES: Task = {
  outputs: [
    { name: 'classification', loss: { name: 'categorical_crossentropy' }, shape: [4], output: 'y', why: '' },
  ],
};

test('of classes: wrong answers alone, the worst first, the same as sorting all of them by hand', () => {
  const example = fc.record({
    label: fc.integer({ min: 0, max: 3 }),
    predicted: fc.integer({ min: 0, max: 3 }),
    loss: fc.oneof(
      fc.double({ min: 0, max: 9, noNaN: true }),
      fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY),
    ),
  });
  fc.assert(
    fc.property(fc.array(example, { minLength: 1, maxLength: 40 }), (examples) => {
      const judged = {
        answers: Float32Array.from(examples.flatMap(({ predicted }) => [predicted, 0])),
        losses: Float64Array.from(examples, ({ loss }) => loss),
      };
      const labels = Int32Array.from(examples, ({ label }) => label);
      const targets = onlyTargets({ shape: [labels.length], values: labels });
      const { mistakes = [] } = worstMistakes([judged], targets, CLASSES);
      const wrong = examples.filter(({ label, predicted }) => label !== predicted);
      assert.equal(mistakes.length, Math.min(12, wrong.length));
      const size = (loss: number | null) =>
        loss === null || Number.isNaN(loss) ? Number.POSITIVE_INFINITY : loss;
      const expected = wrong.map(({ loss }) => size(loss)).sort((a, b) => (a === b ? 0 : b - a));
      assert.deepEqual(
        mistakes.map(({ loss }) => size(loss)),
        expected.slice(0, 12),
      );
      for (const { example: at, label, predicted } of mistakes)
        assert.deepEqual([label, predicted], [examples[at]?.label, examples[at]?.predicted]);
    }),
  );
});

test('of numbers: what was wanted and what was answered; of several outputs nothing', () => {
  const output = { name: 'regression', loss: { name: 'mse' }, shape: [1], output: 'y', why: '' } as const;
  const judged = { answers: Float32Array.of(1, 5.1), losses: Float64Array.of(0, 9) };
  const targets = onlyTargets({ shape: [2, 1], values: Float32Array.of(1, 2.1) });
  assert.deepEqual(worstMistakes([judged], targets, { outputs: [output] }).mistakes, [
    { example: 1, loss: 9, wanted: [2.1], answered: [5.1] },
    { example: 0, loss: 0, wanted: [1], answered: [1] },
  ]);
  assert.deepEqual(worstMistakes([judged, judged], targets, { outputs: [output, output] }), {});
});
