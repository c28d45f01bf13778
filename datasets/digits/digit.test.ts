import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { randomStream } from '../../lib/core/random.js';
import { sha256 } from '../../lib/formats/files/read-file.js';
import { drawDigit, writeDigit } from './digit.js';
import { GENERATOR_VERSION } from './generate.js';
import { BOX_SIZE, IMAGE_SIZE } from './place.js';

const labels = fc.integer({ min: 0, max: 9 });
const seeds = fc.integer({ min: 0, max: 2 ** 31 });
const draw = (label: number, seed: number) => drawDigit(label, randomStream(seed, 'test', label));

/** Smallest box around pixels that are not black, and the centre of mass in pixels. */
function measure(image: Uint8Array) {
  let [left, top, right, bottom] = [IMAGE_SIZE, IMAGE_SIZE, -1, -1];
  let [mass, massX, massY] = [0, 0, 0];
  image.forEach((value, at) => {
    const [x, y] = [at % IMAGE_SIZE, Math.floor(at / IMAGE_SIZE)];
    mass += value;
    massX += value * x;
    massY += value * y;
    if (value === 0) return;
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  });
  return { width: right - left + 1, height: bottom - top + 1, x: massX / mass, y: massY / mass, mass };
}

test('the ink lies in a box of 20 × 20 and fills its longer side', () => {
  fc.assert(
    fc.property(labels, seeds, (label, seed) => {
      const { width, height } = measure(draw(label, seed));
      assert.ok(width <= BOX_SIZE && height <= BOX_SIZE, `${width} × ${height}`);
      assert.ok(Math.max(width, height) >= BOX_SIZE - 1, `${width} × ${height}`);
    }),
    { numRuns: 500 },
  );
});

test('the centre of mass lies within half a pixel of the middle, unless the box would leave the image', () => {
  const middle = (IMAGE_SIZE - 1) / 2;
  let beyond = 0;
  fc.assert(
    fc.property(labels, seeds, (label, seed) => {
      const { x, y } = measure(draw(label, seed));
      const offset = Math.max(Math.abs(x - middle), Math.abs(y - middle));
      if (offset > 0.5) beyond++;
      assert.ok(offset <= 1.5, `${x}, ${y}`);
    }),
    { numRuns: 1000 },
  );
  // A long-tailed 7 or 9, one in hundreds: its mass lies so far from the middle of its box.
  assert.ok(beyond <= 20, `${beyond} of 1000`);
});

test('a digit is white ink on black: bright in its core, with no more ink than a pen leaves', () => {
  fc.assert(
    fc.property(labels, seeds, (label, seed) => {
      const image = draw(label, seed);
      assert.ok(Math.max(...image) >= 200);
      const { mass } = measure(image);
      const share = mass / 255 / BOX_SIZE ** 2;
      assert.ok(share > 0.04 && share < 0.75, `ink covers ${share} of the box`);
    }),
    { numRuns: 500 },
  );
});

test('every blot of the strokes lies in the box, with its whole radius', () => {
  fc.assert(
    fc.property(labels, seeds, (label, seed) => {
      for (const { x, y, radius } of writeDigit(label, randomStream(seed)).strokes.flat()) {
        assert.ok(radius > 0);
        for (const place of [x, y]) {
          assert.ok(place - radius > -0.01 && place + radius < BOX_SIZE + 0.01, `${place} ± ${radius}`);
        }
      }
    }),
  );
});

test('the same stream writes the same digit, another stream another one', () => {
  fc.assert(
    fc.property(labels, seeds, (label, seed) => {
      assert.deepEqual(draw(label, seed), draw(label, seed));
      assert.notDeepEqual(draw(label, seed), draw(label, seed + 1));
    }),
  );
});

test('the pixels are those of this version of the generator: raise GENERATOR_VERSION with these hashes', () => {
  const hashes = Array.from({ length: 10 }, (_, label) => sha256(draw(label, 1)).slice(0, 12));
  assert.equal(GENERATOR_VERSION, 2);
  assert.deepEqual(hashes, [
    '171a33312441',
    '7718d371efdb',
    '4ca918f15b5a',
    '3a6329ba4c8f',
    '8f3ceaf43f5e',
    '72f9a3a87f7b',
    'e537a17394d0',
    'c7994d1437f9',
    '4a9d949755a8',
    'f008ad80424b',
  ]);
});

test('what is no digit has no shape', () => {
  for (const label of [-1, 10, 1.5, Number.NaN]) {
    assert.throws(() => writeDigit(label, randomStream(0)), RangeError);
  }
});
