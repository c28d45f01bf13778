/** Numbers beside an axis: all of one axis are written alike, whatever their size. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scaleLinear } from 'd3-scale';
import fc from 'fast-check';
import { toText } from '../../lib/html/html.js';
import { axisText, valueAxis } from './axes.js';
import { participationGrid } from './participation-grid.js';

const textsOf = (low: number, high: number, isShare = false) => {
  const scale = scaleLinear([low, high], [0, 1]).nice(5);
  return scale.ticks(5).map(axisText(scale, isShare));
};

test('thousands of an axis are all counted as such, shares are percentages, small numbers have an exponent', () => {
  assert.deepEqual(textsOf(0, 1500), ['0', '500', '1,000', '1,500', '2,000']);
  assert.deepEqual(textsOf(0, 25_000), ['0k', '5k', '10k', '15k', '20k', '25k']);
  assert.deepEqual(textsOf(0, 0.2), ['0.00', '0.05', '0.10', '0.15', '0.20']);
  assert.deepEqual(textsOf(0.9, 1, true), ['90 %', '92 %', '94 %', '96 %', '98 %', '100 %']);
  assert.deepEqual(textsOf(0, 2e-5), ['0.0e+0', '5.0e-6', '1.0e-5', '1.5e-5', '2.0e-5']);
});

test('no two numbers of an axis look the same, and none is longer than there is room for', () => {
  const bound = fc.double({ min: -1e12, max: 1e12, noNaN: true });
  fc.assert(
    fc.property(bound, fc.double({ min: 1e-9, max: 1e12, noNaN: true }), (low, span) => {
      // Of a narrow piece far from 0, neighbours differ in digits for which there is no room.
      fc.pre(span > Math.abs(low));
      const texts = textsOf(low, low + span);
      assert.equal(new Set(texts).size, texts.length, texts.join(' '));
      for (const text of texts) assert.ok(text.length <= 8, text);
    }),
  );
  const scale = scaleLinear([0, 3], [0, 1]);
  assert.equal([...toText(valueAxis(scale)).matchAll(/class="grid"/g)].length, scale.ticks(5).length);
});

test('of many clients and rounds neighbours share a cell, which tells of all of them', () => {
  const turns = Array.from({ length: 600 }, (_, client) =>
    Array.from({ length: 240 }, (_, at) => ({
      client,
      round: at + 1,
      ending: client === 0 && at === 0 ? ('missing' as const) : ('reported' as const),
    })),
  ).flat();
  const grid = toText(participationGrid(turns, { clients: 600, rounds: 240, description: 'who' }));
  assert.equal([...grid.matchAll(/<rect class="(reported|missing)"/g)].length, 60 * 120);
  assert.match(grid, /<title>client 0 to 9, round 1 to 2: 19 reported, 1 missing<\/title>/);
});
