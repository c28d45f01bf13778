import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { drawLine } from './spline.js';
import { arc, corner, knot } from './strokes.js';

const place = fc.double({ min: -1, max: 2, noNaN: true });
const knots = fc.array(fc.record({ x: place, y: place, corner: fc.boolean() }), {
  minLength: 1,
  maxLength: 12,
});

test('a line passes through all its knots, in order, and stays finite even where knots coincide', () => {
  fc.assert(
    fc.property(knots, (stroke) => {
      const line = drawLine([...stroke, stroke[stroke.length - 1] as (typeof stroke)[number]]);
      let at = 0;
      for (const { x, y } of stroke) {
        while (at < line.length && Math.hypot((line[at]?.x ?? 9) - x, (line[at]?.y ?? 9) - y) > 1e-6) at++;
        assert.ok(at < line.length, `the line misses ${x}, ${y}`);
      }
      for (const { x, y } of line) assert.ok(Number.isFinite(x) && Number.isFinite(y));
    }),
  );
});

test('the pen goes straight to a corner and straight on from it', () => {
  const line = drawLine([knot(0, 0), corner(1, 0), knot(1, 1)]);
  for (const { x, y } of line) assert.ok(Math.abs(y) < 1e-9 || Math.abs(x - 1) < 1e-9, `${x}, ${y}`);
});

test('a line through the knots of an arc is round to within one percent', () => {
  const circle = { x: 0.5, y: 0.5, width: 1, height: 1, from: -90, to: 270 };
  const inner = drawLine(arc(circle)).slice(7, -7);
  for (const { x, y } of inner) assert.ok(Math.abs(Math.hypot(x - 0.5, y - 0.5) - 0.5) < 0.005, `${x}, ${y}`);
});
