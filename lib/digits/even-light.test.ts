import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { box, drawBars, farthest, onPaper } from '../../server/testing/bars.js';
import { evenLight } from './even-light.js';
import { type GreyImage, mapValues } from './grey-image.js';

const SIZE = { width: 120, height: 80 };
const BARS = drawBars(SIZE, [box(30, 20, 8, 40), box(60, 20, 30, 8), box(60, 50, 30, 8)]);
const SHEET = onPaper(BARS);

/** Light that grows from 1 - `across` on the left to 1 on the right, and so from top to bottom. */
function shaded(image: GreyImage, across: number, down: number): GreyImage {
  const { width, height, values } = image;
  const light = (at: number) =>
    1 - across * (1 - (at % width) / width) - down * (1 - Math.floor(at / width) / height);
  return { ...image, values: values.map((value, at) => value * light(at)) };
}

describe('even light', () => {
  it('makes paper 0 and ink the share of light that it swallows', () => {
    const { values, isDarkInk, width, height } = evenLight(SHEET);
    assert.ok(isDarkInk);
    assert.deepEqual({ width, height }, SIZE);
    // 0.1 of 0.9 comes back.
    assert.ok(
      farthest(
        values,
        BARS.values.map((ink) => ink * (1 - 0.1 / 0.9)),
      ) < 0.02,
    );
  });

  it('reads an inverted picture as the same ink', () => {
    const inverted = evenLight(mapValues(SHEET, (value) => 1 - value));
    assert.equal(inverted.isDarkInk, false);
    assert.ok(farthest(inverted.values, evenLight(SHEET).values) < 1e-4);
  });

  it('takes off any dimming and any even shading', () => {
    const plain = evenLight(SHEET).values;
    const share = (max: number) => fc.float({ min: 0, max: Math.fround(max), noNaN: true });
    fc.assert(
      fc.property(share(0.7), share(0.25), share(0.25), (dimmer, across, down) => {
        const dim = mapValues(shaded(SHEET, across, down), (value) => value * (1 - dimmer));
        const { values, isDarkInk } = evenLight(dim);
        assert.ok(isDarkInk);
        const difference = farthest(values, plain);
        assert.ok(difference < 0.12, `differs by ${difference}`);
      }),
      { numRuns: 25 },
    );
  });

  it('finds no ink on paper alone, whatever its brightness and shading', () => {
    const sheet = (level: number) => ({
      ...SIZE,
      values: new Float32Array(SIZE.width * SIZE.height).fill(level),
    });
    const most = ({ values }: GreyImage) => farthest(values, new Float32Array(values.length));
    for (const level of [0, 0.1, 0.5, 1]) assert.ok(most(evenLight(sheet(level))) < 1e-3, `${level}`);
    for (const level of [0.3, 0.6])
      assert.ok(most(evenLight(shaded(sheet(level), 0.15, 0.1))) < 0.05, `${level}, shaded`);
  });

  it('takes strips and single pixels', () => {
    for (const [width, height] of [
      [1, 1],
      [1, 300],
      [300, 1],
      [2, 3],
    ] as const) {
      const { values } = evenLight({ width, height, values: new Float32Array(width * height).fill(0.7) });
      assert.ok(
        values.every((value) => Math.abs(value) < 0.01),
        `${width} × ${height}`,
      );
    }
  });
});
