import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { box, boxOf, drawBars, signOf } from '../../server/testing/bars.js';
import { waysToRead } from './split-signs.js';

const SIZE = { width: 300, height: 140 };
/** Rings, as a 0 is one: in their middle columns there is less ink than at their sides. */
const ring = (left: number, top: number) => [
  box(left, top, 12, 80),
  box(left + 38, top, 12, 80),
  box(left, top, 50, 12),
  box(left, top + 68, 50, 12),
];
const bridge = (left: number) => box(left, 60, 12, 6);
const ways = (bars: readonly ReturnType<typeof box>[]) => {
  const { found, sign } = signOf(drawBars(SIZE, bars));
  return { sign, ways: waysToRead(found, sign) };
};

describe('the ways to read a piece of ink', () => {
  it('are hardly more than one where it is narrow, or where a cut would go through several lines', () => {
    const { sign, ways: found } = ways(ring(30, 20));
    assert.deepEqual(found[0], { signs: [sign], plausibility: 0 });
    assert.ok(found.slice(1).every(({ plausibility }) => plausibility < -3));
    const wide = [box(30, 20, 90, 10), box(30, 90, 90, 10), box(30, 20, 10, 80), box(110, 20, 10, 80)];
    const others = ways(wide).ways.slice(1);
    assert.ok(
      others.every(({ plausibility }) => plausibility < 0),
      'a 0 may be wide',
    );
  });

  it('are a cut in the bridge where two signs touch by it', () => {
    const { sign, ways: found } = ways([...ring(30, 20), bridge(80), ...ring(92, 30)]);
    assert.deepEqual(found[0], { signs: [sign], plausibility: 0 }, 'as one, first of all');
    const [left, right] = found[1]?.signs ?? [];
    assert.ok(left && right);
    const cut = right.left;
    assert.ok(cut >= 80 && cut <= 92, `cut at ${cut}`);
    assert.deepEqual(
      [left.top, left.height, right.top, right.height],
      [20, 80, 30, 80],
      'each in its own box',
    );
    assert.ok((found[1]?.plausibility ?? 0) > 0, 'and likelier than one');
    const more = found.slice(2).map(({ plausibility }) => plausibility);
    assert.ok(Math.max(...more) < (found[1]?.plausibility ?? 0), 'neither of the two is two');
  });

  it('are a cut beside a narrow sign, far from the middle', () => {
    const [, two] = ways([box(30, 20, 14, 80), bridge(44), ...ring(56, 20)]).ways;
    const [one, zero] = two?.signs ?? [];
    assert.ok(one && zero && zero.left >= 44 && zero.left <= 56, `cut at ${zero?.left}`);
  });

  it('are two cuts where three touch', () => {
    const bars = [...ring(30, 20), bridge(80), ...ring(92, 30), bridge(142), ...ring(154, 20)];
    const { ways: found } = ways(bars);
    const cuts = found[2]?.signs.slice(1).map(({ left }) => left) ?? [];
    assert.equal(cuts.length, 2);
    assert.ok((cuts[0] ?? 0) >= 80 && (cuts[0] ?? 0) <= 92, `${cuts}`);
    assert.ok((cuts[1] ?? 0) >= 142 && (cuts[1] ?? 0) <= 154, `${cuts}`);
    assert.ok((found[2]?.plausibility ?? 0) > (found[1]?.plausibility ?? 0));
  });

  it('never cut off what is much lower than the rest: it is a part of a sign', () => {
    const seven = [box(30, 20, 60, 12), box(78, 20, 12, 80)];
    assert.equal(ways(seven).ways.length, 1);
  });

  it('share out all of the ink, and move with the picture', () => {
    const bars = [...ring(30, 20), bridge(80), ...ring(92, 30)];
    const { sign, ways: found } = ways(bars);
    for (const { signs } of found)
      assert.equal(
        signs.reduce((sum, { area }) => sum + area, 0),
        sign.area,
      );
    const moved = ways(bars.map((bar) => ({ ...bar, left: bar.left + 70, top: bar.top + 25 }))).ways;
    assert.deepEqual(
      moved.map(({ signs }) => signs.map(boxOf)),
      found.map(({ signs }) =>
        signs.map((part) => ({ ...boxOf(part), left: part.left + 70, top: part.top + 25 })),
      ),
    );
  });
});
