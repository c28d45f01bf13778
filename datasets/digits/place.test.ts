import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BOX_SIZE, centreByMass, fitIntoBox, IMAGE_SIZE } from './place.js';

const blot = fc.record({
  x: fc.double({ min: -2, max: 2, noNaN: true }),
  y: fc.double({ min: -2, max: 2, noNaN: true }),
  radius: fc.double({ min: 0.4, max: 3, noNaN: true }),
});

test('fitting fills the box with the longer side, keeps the radii', () => {
  fc.assert(
    fc.property(fc.array(blot, { minLength: 2, maxLength: 12 }), (blots) => {
      const spread = Math.max(...blots.map(({ x }) => x)) - Math.min(...blots.map(({ x }) => x));
      fc.pre(spread > 0.05);
      const fitted = fitIntoBox([blots], BOX_SIZE).flat();
      assert.deepEqual(
        fitted.map(({ radius }) => radius),
        blots.map(({ radius }) => radius),
      );
      const side = (of: (blot: (typeof fitted)[number]) => number) =>
        Math.max(...fitted.map((each) => of(each) + each.radius)) -
        Math.min(...fitted.map((each) => of(each) - each.radius));
      assert.ok(
        Math.abs(
          Math.max(
            side((each) => each.x),
            side((each) => each.y),
          ) - BOX_SIZE,
        ) < 0.01,
      );
    }),
  );
});

test('centring moves by whole pixels and loses no ink', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 400, maxLength: 400 }), (box) => {
      const image = centreByMass(box);
      assert.equal(image.length, IMAGE_SIZE ** 2);
      const inked = (values: Uint8Array) => [...values].filter((value) => value > 0);
      assert.deepEqual(inked(image), inked(box));
    }),
  );
});
