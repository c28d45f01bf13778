/** Tests of how figures spread over clients: counted by hand, the worst of errors and of scores, figures that some clients lack. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { acrossClients } from './across-clients.js';

type ClientFigures = Parameters<typeof acrossClients>[0][number];

const client = (examples: number, accuracy: number, loss: number | null): ClientFigures => ({
  ...{ examples, loss, metrics: { accuracy } },
});

test('mean, weighted mean, standard deviation and worst tenth, counted by hand', () => {
  const found = acrossClients([client(1, 0.5, 3), client(3, 1, 1)]);
  assert.deepEqual(found, {
    loss: { clients: 2, mean: 2, weightedMean: 1.5, deviation: 1, worstDecile: 3 },
    accuracy: { clients: 2, mean: 0.75, weightedMean: 0.875, deviation: 0.25, worstDecile: 0.5 },
  });
});

test('the worst tenth are the lowest scores, and the highest errors', () => {
  const tests = Array.from({ length: 20 }, (_, at) => ({
    ...{ examples: 1, loss: at, metrics: { accuracy: at / 20, price_rmse: at } },
  }));
  const { accuracy, price_rmse: error, loss } = acrossClients(tests) ?? {};
  assert.equal(accuracy?.worstDecile, 0.5 / 20);
  assert.equal(error?.worstDecile, 18.5);
  assert.equal(loss?.worstDecile, 18.5);
});

test('a figure that a client lacks, or that is not finite, does not count for it', () => {
  const tests = [client(2, 0.5, null), { examples: 2, loss: 4, metrics: {} }, client(2, 1, Number.NaN)];
  const found = acrossClients(tests);
  assert.deepEqual([found?.loss?.clients, found?.loss?.mean], [1, 4]);
  assert.deepEqual([found?.accuracy?.clients, found?.accuracy?.mean], [2, 0.75]);
  assert.equal(acrossClients([]), undefined);
  assert.equal(acrossClients([{ examples: 1, loss: null }]), undefined);
});

test('the worst tenth is no better than the mean, clients alike spread by nothing, and their order is all one', () => {
  const tests = fc.array(
    fc.record({ examples: fc.integer({ min: 1, max: 50 }), accuracy: fc.integer({ min: 0, max: 64 }) }),
    { minLength: 1, maxLength: 60 },
  );
  fc.assert(
    fc.property(tests, (drawn) => {
      // Sums of 64ths are exact.
      const figures = drawn.map(({ examples, accuracy }) => client(examples, accuracy / 64, accuracy / 64));
      const { accuracy, loss } = acrossClients(figures) ?? {};
      assert.ok(accuracy !== undefined && loss !== undefined);
      assert.ok(accuracy.worstDecile <= accuracy.mean && loss.worstDecile >= loss.mean);
      assert.deepEqual(acrossClients(figures.toReversed())?.accuracy?.mean, accuracy.mean);
      assert.equal(accuracy.deviation === 0, new Set(drawn.map((each) => each.accuracy)).size === 1);
    }),
  );
});
