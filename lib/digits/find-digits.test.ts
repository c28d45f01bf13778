import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { box, boxOf } from '../../server/testing/bars.js';
import { asOneSign, findSigns } from './find-digits.js';
import type { Piece } from './find-ink.js';
import type { Box } from './grey-image.js';

const PAGE = { width: 1000, height: 800 };
const pieces = (boxes: readonly Box[]): readonly Piece[] =>
  boxes.map((each, index) => ({ ...each, label: index + 1, area: each.width * each.height }));
const linesOf = (boxes: readonly Box[]) => findSigns(pieces(boxes), PAGE);
const found = (boxes: readonly Box[]) => linesOf(boxes).flat();

/** Two lines of three signs as people write: not all of one height, nor on one level. */
const LINES = [
  [box(100, 100, 50, 100), box(200, 90, 60, 105), box(310, 112, 12, 95)],
  [box(90, 300, 55, 90), box(205, 310, 50, 100), box(300, 295, 60, 98)],
].flat();

describe('signs', () => {
  it('are read from left to right, line by line, in whatever order their ink was found', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(LINES, { minLength: 1 }), (boxes) => {
        const inOrder = LINES.filter((each) => boxes.includes(each));
        assert.deepEqual(found(boxes).map(boxOf), inOrder);
      }),
      { numRuns: 100 },
    );
  });

  it('of two lines stay two lines, near or far, level or slanting, wherever they begin', () => {
    const offsets = fc.record({
      gap: fc.integer({ min: 28, max: 150 }),
      shift: fc.integer({ min: -150, max: 150 }),
      slant: fc.integer({ min: -25, max: 25 }),
    });
    fc.assert(
      fc.property(offsets, ({ gap, shift, slant }) => {
        const lineAt = (left: number, top: number) =>
          [60, 12, 95, 60].map((width, at) => box(left + at * 100, top + at * slant, width, 100));
        const upper = lineAt(200, 200);
        const lower = lineAt(200 + shift, Math.round(300 + gap + (slant * shift) / 100));
        assert.deepEqual(
          linesOf([...lower, ...upper]).map((line) => line.map(boxOf)),
          [upper, lower],
        );
      }),
      { numRuns: 200 },
    );
  });

  it('are found among fifty thousand dots, of which only some are looked at', () => {
    const dots = Array.from({ length: 50_000 }, (_, at) =>
      box((at * 7) % 1000, 500 + ((at * 13) % 290), 1, 1),
    );
    assert.deepEqual(found([...dots, ...LINES]).map(boxOf), LINES);
    assert.equal(found(dots).length, 32);
  });

  it('move with the picture, and nothing else changes', () => {
    fc.assert(
      fc.property(fc.integer({ min: -80, max: 500 }), fc.integer({ min: -80, max: 300 }), (x, y) => {
        const moved = LINES.map((each) => ({ ...each, left: each.left + x, top: each.top + y }));
        assert.deepEqual(found(moved).map(boxOf), moved);
      }),
      { numRuns: 30 },
    );
  });

  it('are one where pieces lie closely above each other, and two where a line lies between', () => {
    const [roof, belly] = [box(100, 100, 60, 40), box(105, 150, 55, 60)];
    const [five] = found([roof, belly]);
    assert.deepEqual(five && boxOf(five), box(100, 100, 60, 110));
    assert.deepEqual(five?.labels, new Set([1, 2]));
    assert.equal(five?.area, 60 * 40 + 55 * 60);
    assert.equal(found([roof, { ...belly, top: 200 }]).length, 2);
  });

  it('take small parts beside them; parts that are near to none are dirt', () => {
    const sign = box(100, 100, 50, 100);
    const dash = box(160, 110, 25, 8);
    assert.deepEqual(found([sign, dash]).map(boxOf), [box(100, 100, 85, 100)]);
    assert.deepEqual(found([sign, { ...dash, left: 400 }]).map(boxOf), [sign]);
  });

  it('are no ruled lines, unless there is nothing else', () => {
    const rule = box(0, 220, PAGE.width, 4);
    const margin = box(40, 0, 3, PAGE.height);
    assert.deepEqual(found([...LINES, rule, margin]).map(boxOf), LINES);
    assert.deepEqual(found([rule]).map(boxOf), [rule]);
    assert.deepEqual(found([]), []);
  });

  it('are the largest, where a page is full of them', () => {
    const grid = Array.from({ length: 48 }, (_, index) =>
      box(20 + (index % 12) * 80, 20 + Math.floor(index / 12) * 150, 40 + (index % 12), 80),
    );
    const signs = found(grid);
    assert.equal(signs.length, 32);
    assert.ok(Math.min(...signs.map(({ width }) => width)) >= 43);
  });

  it('may be all of a picture as one', () => {
    const one = asOneSign(pieces([box(10, 20, 5, 5), box(30, 5, 10, 40)]));
    assert.deepEqual(one && boxOf(one), box(10, 5, 30, 40));
    assert.deepEqual(one?.labels, new Set([1, 2]));
    assert.equal(asOneSign([]), undefined);
  });
});
