import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { rasterise } from './rasterise.js';

const inside = fc.double({ min: 5, max: 15, noNaN: true });

test('the ink of a straight stroke is its area: length × width and two half discs', () => {
  const radii = fc.double({ min: 1, max: 3, noNaN: true });
  fc.assert(
    fc.property(inside, inside, inside, inside, radii, (ax, ay, bx, by, radius) => {
      const stroke = [
        { x: ax, y: ay, radius },
        { x: bx, y: by, radius },
      ];
      const pixels = rasterise([stroke], { size: 20, scale: 1, softness: 1 });
      const ink = pixels.reduce((sum, value) => sum + value, 0) / 255;
      const area = 2 * radius * Math.hypot(bx - ax, by - ay) + Math.PI * radius ** 2;
      assert.ok(Math.abs(ink - area) < 0.06 * area + 0.2, `${ink} where ${area} was expected`);
    }),
  );
});

test('the same ink at a larger scale covers the same share of the canvas', () => {
  const stroke = [
    { x: 6, y: 5, radius: 1.5 },
    { x: 14, y: 16, radius: 2 },
  ];
  const share = (scale: number) => {
    const pixels = rasterise([stroke], { size: 20 * scale, scale, softness: 0.5 });
    return pixels.reduce((sum, value) => sum + value, 0) / 255 / pixels.length;
  };
  assert.ok(Math.abs(share(10) - share(2)) < 0.001);
});

test('ink outside the canvas is cut off, and where strokes cross nothing is brighter than white', () => {
  const across = [
    { x: -5, y: 10, radius: 2 },
    { x: 25, y: 10, radius: 2 },
  ];
  const down = [
    { x: 10, y: -5, radius: 2 },
    { x: 10, y: 25, radius: 2 },
  ];
  const pixels = rasterise([across, down], { size: 20, scale: 1, softness: 1 });
  assert.equal(pixels[10 * 20 + 10], 255);
  assert.equal(pixels[10 * 20], 255);
  assert.equal(pixels[0], 0);
});
