import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { box, drawBars, farthest, signOf } from '../../server/testing/bars.js';
import { formSign } from './digit-form.js';
import { boundingBox, centreOfMass, largest } from './grey-image.js';

const CANVAS = { width: 260, height: 220 };
const MNIST = { width: 28, height: 28 };
const form = (bars: readonly ReturnType<typeof box>[], size = MNIST) => {
  const { found, sign } = signOf(drawBars(CANVAS, bars));
  return formSign(found, sign, size);
};
/** An L of thick lines. */
const letter = ({ left = 40, top = 30, width = 60, height = 90, line = 14 } = {}) => [
  box(left, top, line, height),
  box(left, top + height - line, width, line),
];

describe('the form of a sign', () => {
  it("is MNIST's: in a box of 20 × 20, never stretched, white at its strongest, its mass in the middle", () => {
    fc.assert(
      fc.property(
        fc.record({
          left: fc.integer({ min: 0, max: 60 }),
          top: fc.integer({ min: 0, max: 50 }),
          width: fc.integer({ min: 40, max: 180 }),
          height: fc.integer({ min: 40, max: 160 }),
        }),
        (shape) => {
          const { cut, boxed, centred } = form(letter(shape));
          assert.deepEqual([cut.width, cut.height], [shape.width, shape.height]);
          assert.equal(Math.max(boxed.width, boxed.height), 20);
          const expected = Math.min(shape.width, shape.height) * (20 / Math.max(shape.width, shape.height));
          // Thickened lines reach out on both sides alike.
          assert.ok(Math.abs(Math.min(boxed.width, boxed.height) - expected) <= 1.6, `${expected}`);
          assert.equal(largest(boxed.values), 1);
          assert.deepEqual([centred.width, centred.height], [28, 28]);
          const [x, y] = centreOfMass(centred);
          const ink = boundingBox(centred, 0.01) ?? box(0, 0, 0, 0);
          // Within half a pixel of the middle of pixel 14, but where the ink would leave the picture.
          for (const [mass, start, extent] of [
            [x, ink.left, ink.width],
            [y, ink.top, ink.height],
          ] as const)
            assert.ok(Math.abs(mass - 14) <= 0.51 || start === 0 || start + extent === 28, `${mass}`);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('does not depend on where the sign stands', () => {
    const plain = form(letter()).centred.values;
    fc.assert(
      fc.property(fc.integer({ min: -40, max: 150 }), fc.integer({ min: -30, max: 90 }), (x, y) => {
        const moved = form(letter({ left: 40 + x, top: 30 + y }));
        assert.deepEqual(moved.centred.values, plain);
      }),
      { numRuns: 30 },
    );
  });

  it('hardly depends on the size of the sign', () => {
    const plain = form(letter()).centred.values;
    const twice = form(letter({ left: 10, top: 10, width: 120, height: 180, line: 28 })).centred.values;
    assert.ok(farthest(twice, plain) < 0.25);
  });

  it('has lines as thick as a pen makes them, however fine they were', () => {
    const across = (line: number) => {
      const { boxed } = form(letter({ width: 100, height: 160, line }));
      // A row through the upright line alone.
      return boxed.values.subarray(6 * boxed.width, 7 * boxed.width).reduce((sum, value) => sum + value, 0);
    };
    for (const line of [1, 2, 4, 8])
      assert.ok(across(line) > 1.2 && across(line) < 2.6, `${line}: ${across(line)}`);
    assert.ok(across(40) > 4, 'thick lines stay');
  });

  it('has nothing of the neighbours that reach into its box', () => {
    const picture = drawBars(CANVAS, [...letter(), box(80, 30, 100, 30)]);
    const { found } = signOf(picture);
    const [own, other] = [...found.pieces].sort((a, b) => a.left - b.left);
    assert.ok(own && other && other.left < own.left + own.width, 'the boxes overlap');
    const sign = { ...own, labels: new Set([own.label]) };
    assert.ok(farthest(formSign(found, sign, MNIST).centred.values, form(letter()).centred.values) < 1e-6);
  });

  it('fits other sizes of input', () => {
    const { boxed, centred } = form(letter(), { width: 64, height: 56 });
    assert.deepEqual([centred.width, centred.height], [64, 56]);
    assert.equal(boxed.height, 40);
  });
});
