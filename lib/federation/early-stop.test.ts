/** When rounds are over: the target, patience, the last round, and which of them counts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bestRound, reasonToStop, roundsToTarget } from './early-stop.js';

/** Tests of classification by their accuracies. */
const tests = (accuracies: readonly number[]) => accuracies.map((accuracy) => ({ accuracy, loss: 1 }));
const RULES = { rounds: 30 };

const histories = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 30 });

test('the best round is the first with the highest accuracy', () => {
  assert.equal(bestRound(tests([]), RULES), 0);
  assert.equal(bestRound(tests([0]), RULES), 1);
  assert.equal(bestRound(tests([0.2, 0.9, 0.3, 0.9]), RULES), 2);
  fc.assert(
    fc.property(histories, (accuracies) => {
      const best = bestRound(tests(accuracies), RULES);
      if (accuracies.length > 0) assert.equal(best - 1, accuracies.indexOf(Math.max(...accuracies)));
    }),
  );
});

test('the target counts from the first round that has it', () => {
  assert.equal(roundsToTarget(tests([0.5, 0.97, 0.9, 0.98]), { ...RULES, targetAccuracy: 0.97 }), 2);
  assert.equal(roundsToTarget(tests([0.5]), { ...RULES, targetAccuracy: 0.97 }), undefined);
  assert.equal(roundsToTarget(tests([]), { ...RULES, targetAccuracy: 0 }), undefined);
});

test('a run goes on until its last round, its target or the end of its patience', () => {
  const rules = { rounds: 5, targetAccuracy: 0.9, patience: 2 };
  assert.equal(reasonToStop(tests([]), rules), undefined);
  assert.equal(reasonToStop(tests([0.5, 0.4]), rules), undefined);
  assert.equal(reasonToStop(tests([0.5, 0.4, 0.5]), rules), 'patience');
  assert.equal(reasonToStop(tests([0.5, 0.4, 0.6, 0.6]), rules), undefined);
  assert.equal(reasonToStop(tests([0.5, 0.6, 0.7, 0.8, 0.85]), rules), 'rounds');
  assert.equal(reasonToStop(tests([0.5, 0.6, 0.7, 0.8, 0.9]), rules), 'target', 'also in the last round');
  assert.equal(reasonToStop(tests([0.95]), rules), 'target');
});

test('a run that has stopped has stopped at the same round whenever it is asked', () => {
  const rules = fc.record({
    rounds: fc.integer({ min: 1, max: 30 }),
    targetAccuracy: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
    patience: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
  });
  fc.assert(
    fc.property(histories, rules, (accuracies, asked) => {
      const stops = accuracies.map((_, index) => reasonToStop(tests(accuracies.slice(0, index + 1)), asked));
      const end = stops.findIndex((reason) => reason !== undefined);
      if (end < 0) return;
      const { patience = Infinity, targetAccuracy = Infinity, rounds } = asked;
      const seen = accuracies.slice(0, end + 1);
      const isJustified = {
        rounds: seen.length === rounds,
        target: (seen.at(-1) ?? 0) >= targetAccuracy,
        patience: seen.length - bestRound(tests(seen), RULES) === patience,
      };
      const reason = stops[end];
      assert.ok(reason !== undefined && isJustified[reason], `${reason} after ${seen.join()}`);
    }),
  );
});

test('of a regression the lowest error is best, and an error is a target', () => {
  const course = [4, 3, 3.5, 2.5].map((rmse) => ({
    task: 'regression',
    loss: 1,
    metrics: { rmse, r2: rmse / 4 },
  }));
  assert.equal(bestRound(course, RULES), 4);
  assert.equal(bestRound(course, { ...RULES, targetMetric: 'r2=2' }), 1, 'by the metric of the target');
  assert.equal(roundsToTarget(course, { ...RULES, targetMetric: 'rmse=3' }), 2);
  assert.equal(roundsToTarget(course, { ...RULES, targetMetric: 'auc=0.1' }), undefined);
  assert.equal(reasonToStop(course.slice(0, 3), { rounds: 9, patience: 1 }), 'patience');
  assert.equal(reasonToStop(course, { rounds: 9, patience: 1 }), undefined);
});
