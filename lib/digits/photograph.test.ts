import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { drawDigit } from '../../datasets/digits/digit.js';
import { decodeImage } from '../../server/pictures/decode-image.js';
import { CONDITIONS, type Condition, photograph } from '../../server/testing/photograph.js';
import { randomStream } from '../core/random.js';
import { type GreyImage, placeOn } from './grey-image.js';
import { preprocess } from './preprocess.js';

const SIZE = { width: 28, height: 28 };

/** How alike two inputs are, from 0 to 1: the cosine of the angle between them, one moved by up to a pixel. */
function likeness(a: Float32Array, b: Float32Array): number {
  const from: GreyImage = { ...SIZE, values: b };
  const moves = [-1, 0, 1].flatMap((left) => [-1, 0, 1].map((top) => ({ left, top })));
  return Math.max(...moves.map((move) => cosine(a, placeOn(SIZE, from, move).values)));
}

function cosine(a: Float32Array, b: Float32Array): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let at = 0; at < a.length; at++) {
    const [x, y] = [a[at] as number, b[at] as number];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return ab / Math.sqrt(aa * bb);
}

describe('a digit that went through pen, paper, light and camera', () => {
  for (const [name, condition] of Object.entries(CONDITIONS)) {
    it(`becomes nearly the same input again: ${name}`, async () => {
      // Smaller than those of the benchmark, for speed.
      const small: Condition = condition.canvas ? { ...condition, canvas: [200, 420] } : condition;
      for (const label of [0, 2, 4, 7, 8]) {
        const levels = drawDigit(label, randomStream(11, 'digit', label));
        const file = await photograph({ ...SIZE, levels }, small, randomStream(12, name, label));
        const { values } = preprocess(await decodeImage(file), [28, 28, 1]);
        const alike = likeness(
          values,
          Float32Array.from(levels, (level) => level / 255),
        );
        // What is turned is turned: no step tries to set it upright.
        const least = condition.turned === undefined ? 0.8 : 0.5;
        assert.ok(alike > least, `the ${label} is like its own picture by ${alike.toFixed(3)} only`);
      }
    });
  }

  it('is the same picture for the same seed', async () => {
    const levels = drawDigit(3, randomStream(1, 'digit'));
    const make = () =>
      photograph({ ...SIZE, levels }, CONDITIONS['all of these together'] ?? {}, randomStream(5, 'same'));
    assert.deepEqual(await make(), await make());
  });
});
