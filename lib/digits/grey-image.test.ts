import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import fc from 'fast-check';
import {
  borderValues,
  boundingBox,
  centreOfMass,
  crop,
  type GreyImage,
  mean,
  median,
  placeOn,
  quantile,
  resample,
} from './grey-image.js';

const image = (rows: readonly (readonly number[])[]): GreyImage => ({
  width: rows[0]?.length ?? 0,
  height: rows.length,
  values: Float32Array.from(rows.flat()),
});

const side = fc.integer({ min: 1, max: 40 });
const anyImage = fc.tuple(side, side).chain(([width, height]) =>
  fc
    .array(fc.float({ min: 0, max: 1, noNaN: true }), {
      minLength: width * height,
      maxLength: width * height,
    })
    .map((values): GreyImage => ({ width, height, values: Float32Array.from(values) })),
);

describe('grey images', () => {
  it('finds border, quantiles, box and centre of mass', () => {
    const picture = image([
      [1, 2, 3, 4],
      [5, 0, 0, 6],
      [7, 8, 9, 10],
    ]);
    assert.deepEqual([...borderValues(picture)], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert.equal(quantile(picture.values, 0), 0);
    assert.equal(quantile(picture.values, 1), 10);
    const dot = image([
      [0, 0, 0],
      [0, 0, 0],
      [0, 0.5, 0.5],
    ]);
    assert.deepEqual(boundingBox(dot, 0.5), { left: 1, top: 2, width: 2, height: 1 });
    assert.equal(boundingBox(dot, 0.6), undefined);
    assert.deepEqual(centreOfMass(dot), [1.5, 2]);
    assert.deepEqual(centreOfMass(image([[0, 0, 0]])), [1, 0], 'a black picture has its middle');
  });

  it('crops what placing had put there, wherever it was put', () => {
    fc.assert(
      fc.property(anyImage, fc.nat(9), fc.nat(9), (picture, left, top) => {
        const placed = placeOn({ width: picture.width + 9, height: picture.height + 9 }, picture, {
          left,
          top,
        });
        assert.deepEqual(crop(placed, { ...picture, left, top }), picture);
      }),
    );
  });

  it('cuts off what reaches over the edge', () => {
    const placed = placeOn(
      { width: 2, height: 2 },
      image([
        [1, 2, 3],
        [4, 5, 6],
        [7, 8, 9],
      ]),
      { left: -1, top: 1 },
    );
    assert.deepEqual([...placed.values], [0, 0, 2, 3]);
  });

  it('resamples within the range of its input, to itself at the same size, and an even picture to an even one', () => {
    fc.assert(
      fc.property(anyImage, side, side, (picture, width, height) => {
        const scaled = resample(picture, { width, height });
        assert.equal(scaled.values.length, width * height);
        const [low, high] = [quantile(picture.values, 0), quantile(picture.values, 1)];
        assert.ok(scaled.values.every((value) => value >= low - 1e-5 && value <= high + 1e-5));
        assert.deepEqual(resample(picture, picture).values, picture.values);
        const even = resample({ ...picture, values: picture.values.map(() => 0.25) }, { width, height });
        assert.ok(even.values.every((value) => Math.abs(value - 0.25) < 1e-6));
      }),
    );
  });

  it('averages when it shrinks: no thin line is skipped', () => {
    const stripes: GreyImage = {
      width: 64,
      height: 1,
      values: Float32Array.from({ length: 64 }, (_, x) => x % 2),
    };
    const scaled = resample(stripes, { width: 8, height: 1 });
    for (const value of scaled.values) assert.ok(Math.abs(value - 0.5) < 0.07, `found ${value}`);
    assert.ok(Math.abs(mean(scaled.values) - 0.5) < 0.01);
  });
});

const values = fc
  .array(fc.oneof(fc.float({ noNaN: true }), fc.constantFrom(0, 1, 0.5)), { maxLength: 300 })
  .map((list) => Float32Array.from(list));

test('a quantile is what stands at its place after sorting, and the values stay as they were', () => {
  fc.assert(
    fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (list, share) => {
      const before = list.slice();
      const sorted = list.slice().sort();
      // Equal as numbers: a sort puts -0 before 0.
      assert.ok(quantile(list, share) === (sorted[Math.round(share * (sorted.length - 1))] ?? 0));
      assert.deepEqual(list, before);
    }),
  );
});

test('the median of many values is that of evenly chosen ones', () => {
  const many = Float32Array.from({ length: 3000 }, (_, at) => (at % 3 === 0 ? at / 3000 : 99));
  assert.equal(median(many), Math.fround(1500 / 3000));
  assert.equal(median(Float32Array.of(-3, 1, 2), { absolute: true }), 2);
  assert.equal(median(new Float32Array(0)), 0);
});
