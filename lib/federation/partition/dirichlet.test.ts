/** Tests of Dirichlet draws: their moments, the edges where gamma numbers underflow, parts that sit out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { randomStream } from '../../core/random.js';
import { wholeParts } from './dealing.js';
import { dirichletDraws } from './dirichlet.js';

const PARTS = 5;
const DRAWS = 4000;

for (const alpha of [0.05, 0.5, 1, 3, 40]) {
  test(`shares of Dir(${alpha}) have the mean and the variance of that distribution`, () => {
    const draws = dirichletDraws(alpha, PARTS, randomStream(11, 'moments', alpha));
    const all = Array.from({ length: DRAWS }, () => draws.next());
    // Marginally Beta(α, (K - 1) α).
    const mean = 1 / PARTS;
    const variance = (mean * (1 - mean)) / (PARTS * alpha + 1);
    for (let part = 0; part < PARTS; part++) {
      const shares = all.map((draw) => draw[part] as number);
      const found = shares.reduce((sum, share) => sum + share, 0) / DRAWS;
      const squares = shares.map((share) => (share - mean) ** 2);
      const spread = squares.reduce((sum, square) => sum + square, 0) / DRAWS;
      // Six standard errors of each estimate.
      const errorOf = (values: readonly number[], center: number) =>
        Math.sqrt(values.reduce((sum, value) => sum + (value - center) ** 2, 0) / DRAWS / DRAWS);
      assert.ok(Math.abs(found - mean) < 6 * errorOf(shares, found), `mean ${found}, expected ${mean}`);
      assert.ok(
        Math.abs(spread - variance) < 6 * errorOf(squares, spread),
        `variance ${spread}, expected ${variance}`,
      );
    }
  });
}

test('with any alpha the shares are numbers that sum to 1, and parts that sit out have none', () => {
  const alphas = fc.oneof(
    fc.double({ min: 1e-300, max: 1e6, noNaN: true }),
    fc.constantFrom(1e-4, 1e-3, 1e-2),
  );
  fc.assert(
    fc.property(
      alphas,
      fc.integer({ min: 1, max: 50 }),
      fc.nat(),
      fc.nat(1000),
      (alpha, parts, seed, total) => {
        const draws = dirichletDraws(alpha, parts, randomStream(seed));
        const shares = draws.next((part) => part % 2 === 0);
        assert.ok(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 1) < 1e-9, shares.join());
        const sizes = wholeParts(shares, total);
        assert.equal(
          sizes.reduce((sum, size) => sum + size, 0),
          total,
        );
        for (let part = 1; part < parts; part += 2) assert.deepEqual([shares[part], sizes[part]], [0, 0]);
        // Rounding moves a border by less than one example.
        for (const [part, size] of sizes.entries())
          assert.ok(Math.abs(size - (shares[part] ?? 0) * total) <= 1 + 1e-6);
      },
    ),
  );
});
