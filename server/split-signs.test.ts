import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { plausibility, waysToRead } from './split-signs.js';
import { box, boxOf, drawBars, signOf } from './testing/bars.js';

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
  it('are one where it is narrow', () => {
    const { sign, ways: found } = ways(ring(30, 20));
    assert.deepEqual(found, [[sign]]);
  });

  it('are a cut in the bridge where two signs touch by it', () => {
    const { sign, ways: found } = ways([...ring(30, 20), bridge(80), ...ring(92, 30)]);
    assert.deepEqual(found[0], [sign], 'as one, first of all');
    const [left, right] = found[1] ?? [];
    assert.ok(left && right);
    const cut = right.left;
    assert.ok(cut >= 80 && cut <= 92, `cut at ${cut}`);
    assert.deepEqual(
      [left.top, left.height, right.top, right.height],
      [20, 80, 30, 80],
      'each in its own box',
    );
  });

  it('are two cuts where three touch', () => {
    const bars = [...ring(30, 20), bridge(80), ...ring(92, 30), bridge(142), ...ring(154, 20)];
    const cuts =
      ways(bars)
        .ways[2]?.slice(1)
        .map(({ left }) => left) ?? [];
    assert.equal(cuts.length, 2);
    assert.ok((cuts[0] ?? 0) >= 80 && (cuts[0] ?? 0) <= 92, `${cuts}`);
    assert.ok((cuts[1] ?? 0) >= 142 && (cuts[1] ?? 0) <= 154, `${cuts}`);
  });

  it('share out all of the ink, and move with the picture', () => {
    const bars = [...ring(30, 20), bridge(80), ...ring(92, 30)];
    const { sign, ways: found } = ways(bars);
    assert.ok(found.length > 2);
    for (const parts of found)
      assert.equal(
        parts.reduce((sum, { area }) => sum + area, 0),
        sign.area,
      );
    const moved = ways(bars.map((bar) => ({ ...bar, left: bar.left + 70, top: bar.top + 25 }))).ways;
    assert.deepEqual(
      moved.map((parts) => parts.map(boxOf)),
      found.map((parts) =>
        parts.map((part) => ({ ...boxOf(part), left: part.left + 70, top: part.top + 25 })),
      ),
    );
  });

  it('are the less likely one sign the wider it is', () => {
    const { sign } = ways(ring(30, 20));
    const one = [40, 70, 100, 140].map((width) => plausibility({ ...sign, width, height: 80 }, 1));
    assert.deepEqual(
      one,
      one.toSorted((a, b) => b - a),
    );
    assert.ok(one.every((each) => each < 0));
    const wide = { ...sign, width: 130, height: 80 };
    assert.ok(plausibility(wide, 2) > plausibility(wide, 1));
    assert.ok(plausibility(wide, 2) > plausibility(wide, 4));
    const narrow = { ...sign, width: 55, height: 80 };
    assert.ok(plausibility(narrow, 1) > plausibility(narrow, 2));
  });
});
