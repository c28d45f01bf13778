import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { box, boxOf, drawBars } from '../../server/testing/bars.js';
import { randomStream } from '../core/random.js';
import { findInk } from './find-ink.js';

const SIZE = { width: 200, height: 140 };
/** Three bars apart from each other, with room to be moved. */
const BARS = [box(20, 20, 10, 50), box(50, 30, 40, 12), box(120, 15, 14, 60)];

describe('strokes', () => {
  it('are the connected pieces, each in its box and with its area', () => {
    const { pieces, labels, ink } = findInk(drawBars(SIZE, BARS));
    assert.deepEqual(
      new Set(pieces.map(boxOf).map((each) => JSON.stringify(each))),
      new Set(BARS.map((each) => JSON.stringify(each))),
    );
    for (const { label, area, width, height } of pieces) {
      assert.equal(area, width * height);
      assert.equal(labels.filter((each) => each === label).length, area);
    }
    assert.ok(ink.values.every((value, at) => value === ((labels[at] as number) > 0 ? 1 : 0)));
  });

  it('move with the picture, and nothing else changes', () => {
    const before = findInk(drawBars(SIZE, BARS)).pieces;
    fc.assert(
      fc.property(fc.integer({ min: -15, max: 60 }), fc.integer({ min: -10, max: 60 }), (x, y) => {
        const moved = BARS.map((bar) => ({ ...bar, left: bar.left + x, top: bar.top + y }));
        const { pieces } = findInk(drawBars(SIZE, moved));
        assert.deepEqual(
          pieces,
          before.map((piece) => ({ ...piece, left: piece.left + x, top: piece.top + y })),
        );
      }),
      { numRuns: 30 },
    );
  });

  it('are found in ink of any strength that tells it from paper, and not in fainter ink', () => {
    for (const strength of [0.08, 0.2, 1]) {
      const { pieces, ink } = findInk(
        drawBars(
          SIZE,
          BARS.map((bar) => ({ ...bar, strength })),
        ),
      );
      assert.equal(pieces.length, 3, `${strength}`);
      assert.equal(Math.max(...ink.values), 1, 'the usual strength counts as 1');
    }
    assert.deepEqual(
      findInk(
        drawBars(
          SIZE,
          BARS.map((bar) => ({ ...bar, strength: 0.05 })),
        ),
      ).pieces,
      [],
    );
    assert.deepEqual(findInk(drawBars(SIZE, [])).pieces, []);
  });

  it('go on where they grow faint or touch by a corner, but do not begin there', () => {
    const tail = { ...box(30, 40, 40, 8), strength: 0.3 };
    const alone = { ...box(120, 90, 40, 20), strength: 0.3 };
    const corner = box(10, 70, 10, 30);
    const { pieces } = findInk(drawBars(SIZE, [box(20, 20, 10, 50), tail, alone, corner]));
    assert.deepEqual(pieces.map(boxOf), [box(10, 20, 60, 80)]);
  });

  it('are no specks beside larger strokes', () => {
    const specks = [box(150, 100, 3, 3), box(5, 5, 2, 2)];
    assert.equal(findInk(drawBars(SIZE, [...BARS, ...specks])).pieces.length, 3);
    assert.equal(findInk(drawBars(SIZE, specks)).pieces.length, 2, 'small alone is not small');
  });

  it('stand out of the grain of paper, which is none of them', () => {
    const random = randomStream(3, 'grain');
    for (const grain of [0.01, 0.04]) {
      const rough = (bars: typeof BARS) => {
        const picture = drawBars(SIZE, bars);
        return { ...picture, values: picture.values.map((value) => value + grain * random.normal()) };
      };
      assert.deepEqual(findInk(rough([])).pieces, [], `${grain}`);
      const { pieces } = findInk(rough(BARS));
      assert.equal(pieces.length, 3);
      for (const piece of pieces) {
        const near = BARS.some((bar) =>
          (['left', 'top', 'width', 'height'] as const).every(
            (side) => Math.abs(bar[side] - piece[side]) <= 4,
          ),
        );
        assert.ok(near, JSON.stringify(piece));
      }
    }
  });
});
