/** Selection and quorum: the laws of the draw, and every contradiction refused with its numbers. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ThresholdError } from '../core/errors.js';
import { type Selection, selectClients, selectedCount } from './participation.js';
import { parseQuorum, requiredUpdates, requireQuorum } from './quorum.js';

const selections = fc
  .record({
    clients: fc.integer({ min: 1, max: 300 }),
    fraction: fc.double({ min: 0.001, max: 1, noNaN: true }),
    floor: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(
    ({ clients, fraction, floor }): Selection => ({
      clients,
      fraction,
      minClients: Math.max(1, Math.floor(floor * clients)),
    }),
  );
const seeds = fc.integer({ min: 0, max: 2 ** 31 });
const rounds = fc.integer({ min: 1, max: 10_000 });

describe('selectClients', () => {
  it('draws the right number of different clients of the run, in ascending order, the same ones each time', () => {
    fc.assert(
      fc.property(selections, seeds, rounds, (selection, seed, round) => {
        const selected = selectClients(selection, { seed, round });
        assert.equal(selected.length, selectedCount(selection));
        for (const [index, client] of selected.entries()) {
          assert.ok(Number.isInteger(client) && client >= 0 && client < selection.clients);
          assert.ok(index === 0 || client > (selected[index - 1] ?? 0));
        }
        assert.deepEqual(selectClients(selection, { seed, round }), selected);
      }),
    );
  });

  it('takes everybody where the fraction is 1', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), seeds, rounds, (clients, seed, round) => {
        const everybody = Array.from({ length: clients }, (_, client) => client);
        assert.deepEqual(selectClients({ clients, fraction: 1, minClients: 1 }, { seed, round }), everybody);
      }),
    );
  });

  it('gives each client, and each pair of clients, its turn as often as chance does', () => {
    const [clients, drawn, draws] = [20, 5, 8000];
    const turns = new Float64Array(clients);
    const pairs = new Float64Array(clients * clients);
    for (let round = 1; round <= draws; round++) {
      const selected = selectClients(
        { clients, fraction: drawn / clients, minClients: 1 },
        { seed: 3, round },
      );
      for (const a of selected) {
        turns[a] = (turns[a] ?? 0) + 1;
        for (const b of selected) if (b > a) pairs[a * clients + b] = (pairs[a * clients + b] ?? 0) + 1;
      }
    }
    // Five standard deviations of a binomial distribution; the seed is fixed, so that this holds or fails for good.
    const isExpected = (found: number, share: number) =>
      Math.abs(found - draws * share) < 5 * Math.sqrt(draws * share * (1 - share));
    for (const found of turns) assert.ok(isExpected(found, drawn / clients), `${found} turns`);
    const pairShare = (drawn * (drawn - 1)) / (clients * (clients - 1));
    for (let a = 0; a < clients; a++)
      for (let b = a + 1; b < clients; b++)
        assert.ok(isExpected(pairs[a * clients + b] ?? 0, pairShare), `${a} with ${b}`);
  });

  it('draws anew each round, and otherwise with another seed', () => {
    const draw = (seed: number, round: number) =>
      selectClients({ clients: 100, fraction: 0.1, minClients: 1 }, { seed, round }).join();
    const draws = Array.from({ length: 50 }, (_, index) => draw(0, index + 1));
    assert.equal(new Set(draws).size, 50);
    assert.notEqual(draw(1, 1), draw(0, 1));
  });
});

describe('selectedCount', () => {
  for (const [clients, fraction, minClients, expected] of [
    [100, 0.1, 1, 10],
    [3, 0.01, 1, 1],
    [10, 0.25, 1, 3],
    [10, 0.35, 1, 4],
    [1000, 0.0145, 1, 15],
    [20, 0.1, 5, 5],
    [20, 0.5, 5, 10],
    [7, 1, 7, 7],
  ] as const) {
    it(`is ${expected} of ${clients} with C = ${fraction} and at least ${minClients}`, () => {
      assert.equal(selectedCount({ clients, fraction, minClients }), expected);
    });
  }
});

describe('a quorum', () => {
  it('is a number of updates or a share of the selected clients', () => {
    assert.deepEqual(parseQuorum('8'), { count: 8 });
    assert.deepEqual(parseQuorum('0.8'), { share: 0.8 });
    assert.deepEqual(parseQuorum('.8'), { share: 0.8 });
    assert.deepEqual(parseQuorum(' 80% '), { share: 0.8 });
    assert.deepEqual(parseQuorum('1'), { count: 1 });
    assert.deepEqual(parseQuorum('1.0'), { share: 1 });
    assert.deepEqual(parseQuorum('100%'), { share: 1 });
    for (const text of ['0', '0.0', '0%', '101%', '1.5', '-1', '', '%', 'most', '1e2', '5/10', 'NaN']) {
      assert.equal(parseQuorum(text), undefined, text);
    }
  });

  it('of a share is the least number of updates that is at least that share', () => {
    for (const [share, selected, expected] of [
      [0.5, 5, 3],
      [0.07, 100, 7],
      [0.7, 10, 7],
      [0.1, 3, 1],
      [1, 9, 9],
      [0.001, 4, 1],
    ] as const) {
      assert.equal(requiredUpdates({ share }, selected), expected, `${share} of ${selected}`);
    }
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 1, max: 1000 }),
        (percent, selected) => {
          const needed = requiredUpdates({ share: percent / 100 }, selected);
          assert.ok(needed * 100 >= percent * selected);
          assert.ok((needed - 1) * 100 < percent * selected);
        },
      ),
    );
  });

  it('holds while enough clients are left, and says who is missing and why when it does not', () => {
    const selected = [1, 4, 5, 7, 8, 9, 10, 11];
    const missing = selected.map((client) => ({ client, reason: `broke leg ${client}` }));
    const state = (lost: number, quorum: number) => ({
      ...{ round: 3, selected, missing: missing.slice(0, lost), quorum },
    });
    requireQuorum(state(2, 6));
    requireQuorum(state(0, 8));
    assert.throws(
      () => requireQuorum(state(3, 6)),
      (error: unknown) =>
        error instanceof ThresholdError &&
        error.message ===
          'Round 3 misses its quorum: 6 of 8 selected clients have to report, and 3 cannot any more: ' +
            'client 1 (broke leg 1), client 4 (broke leg 4), client 5 (broke leg 5).',
    );
    assert.throws(() => requireQuorum(state(8, 1)), /client 8 \(broke leg 8\) and 3 more\.$/);
  });
});
