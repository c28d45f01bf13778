/** Metrics: against their definitions, counted pair by pair, and by hand. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { metricsOf } from './metrics.js';

const close = (found: number | undefined, expected: number) =>
  assert.ok(Math.abs((found ?? Number.NaN) - expected) < 1e-6, `${found}, expected ${expected}`);

describe('metrics', () => {
  it('of a regression are errors, and what of the variance they leave', () => {
    const found = metricsOf({ name: 'regression', shape: [1] }, Float32Array.of(1, 2, 5), {
      shape: [3, 1],
      values: Float32Array.of(2, 0, 4),
    });
    close(found.mae, 4 / 3);
    close(found.rmse, Math.sqrt(6 / 3));
    // The target of 0 has no relative error.
    close(found.rmspe, Math.sqrt((0.25 + 1 / 16) / 2));
    close(found.r2, 1 - 6 / 8);
    const constant = metricsOf({ name: 'regression', shape: [1] }, Float32Array.of(1), {
      shape: [1, 1],
      values: new Float32Array(1),
    });
    assert.deepEqual(Object.keys(constant), ['mae', 'rmse'], 'nothing that has no value');
  });

  it('of yes or no have the area that pairs of examples give', () => {
    const scores = fc.array(fc.record({ score: fc.integer({ min: 0, max: 5 }), holds: fc.boolean() }), {
      minLength: 2,
      maxLength: 20,
    });
    fc.assert(
      fc.property(scores, (rows) => {
        const { auc } = metricsOf(
          { name: 'binary', shape: [1] },
          Float32Array.from(rows, ({ score }) => score / 5),
          { shape: [rows.length], values: Int32Array.from(rows, ({ holds }) => Number(holds)) },
        );
        const yes = rows.filter(({ holds }) => holds);
        const no = rows.filter(({ holds }) => !holds);
        if (yes.length === 0 || no.length === 0) {
          assert.equal(auc, undefined);
          return;
        }
        const wins = yes.flatMap((one): readonly number[] =>
          no.map((other) => (one.score > other.score ? 1 : one.score === other.score ? 0.5 : 0)),
        );
        close(auc, wins.reduce((sum, win) => sum + win, 0) / wins.length);
      }),
      { numRuns: 50 },
    );
  });

  it('of yes or no count at one half', () => {
    const found = metricsOf({ name: 'binary', shape: [1] }, Float32Array.of(0.9, 0.6, 0.2, 0.4), {
      shape: [4],
      values: Int32Array.of(1, 0, 1, 0),
    });
    close(found.accuracy, 0.5);
    close(found.precision, 0.5);
    close(found.recall, 0.5);
    close(found.f1, 0.5);
  });

  it('of classes are means over those that occur, and the five most probable', () => {
    // Predicted class and rank of the right one.
    const answers = Float32Array.of(0, 0, 1, 5, 1, 0, 2, 4);
    const found = metricsOf({ name: 'classification', shape: [9] }, answers, {
      shape: [4],
      values: Int32Array.of(0, 0, 1, 1),
    });
    close(found.accuracy, 0.5);
    close(found.top5, 0.75);
    close(found.precision, (1 + 0.5 + 0) / 3);
    close(found.recall, (0.5 + 0.5 + 0) / 3);
    close(found.f1, (2 / 3 + 0.5 + 0) / 3);
  });
});
