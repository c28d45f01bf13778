/** Tests of the scale of pixels: what is found in images, how it is written, and the way from one to another. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateDigits } from '../../datasets/digits/generate.js';
import { partsOf } from '../../test/datasets.js';
import { randomStream } from '../core/random.js';
import { type Images, imagesIn } from './examples.js';
import { findScale, formatScale, isNear, parseScale, rescale } from './pixel-scale.js';

const { train } = await generateDigits({ seed: 1, train: 200, test: 1 });

/** The digits with each pixel made another, from 0 to 1 before. */
function digits(store: (pixel: number, at: number) => number, channels = 1): Images {
  const [count = 0] = partsOf(train).shape;
  const shape = channels === 1 ? partsOf(train).shape : [count, 28, 28, channels];
  const images = Float32Array.from({ length: partsOf(train).images.length * channels }, (_, at) =>
    store((partsOf(train).images[Math.floor(at / channels)] as number) / 255, at),
  );
  return { shape, values: images };
}

const found = (examples: Images) => {
  const finding = findScale(examples);
  return finding.kind === 'found' ? formatScale(finding.scale) : finding.kind;
};

test('the usual scales are the usual ones', () => {
  assert.equal(found(imagesIn(train) as Images), 'usual');
  assert.equal(found(digits((pixel) => pixel)), 'usual');
  // As a resize with overshoot leaves them, and dim ones.
  assert.equal(found(digits((pixel) => pixel * 1.06 - 0.03)), 'usual');
  assert.equal(found(digits((pixel) => pixel * 0.8)), 'usual');
  assert.equal(found({ shape: [2, 2, 2], values: new Float32Array(8) }), 'usual');
  // Dark photographs use the lower part of their 8 bits, and reach it now and then.
  const random = randomStream(1, 'dark');
  const dark = Uint8Array.from({ length: 20 * 64 }, (_, at) => random.integer(0, at < 64 ? 60 : 20));
  assert.equal(found({ shape: [20, 8, 8], values: dark }), 'usual');
});

test('other scales are found, also those of each channel', () => {
  assert.equal(found(digits((pixel) => pixel * 2 - 1)), '-1..1');
  assert.equal(found(digits((pixel) => pixel - 0.5)), '-0.5..0.5');
  assert.equal(found(digits((pixel) => pixel * 255)), '0..255');
  assert.equal(found(digits((pixel) => Math.round(pixel * 16))), '0..16');
  assert.match(found(digits((pixel) => (pixel - 0.1307) / 0.3081)), /^-0\.424212\d*\.\.2\.821486\d*$/);
  const levels = (most: number) => ({
    shape: partsOf(train).shape,
    values: Uint8Array.from(partsOf(train).images, (pixel) => Math.round((pixel / 255) * most)),
  });
  assert.equal(found(levels(16)), '0..16');
  assert.equal(found(levels(1)), '0..1');
  const [mean, deviation] = [
    [0.485, 0.456, 0.406],
    [0.229, 0.224, 0.225],
  ];
  const colour = (pixel: number, at: number) =>
    (pixel - (mean?.[at % 3] as number)) / (deviation?.[at % 3] as number);
  assert.equal(found(digits(colour, 3)), '-2.117904..2.248908,-2.035714..2.428571,-1.804444..2.64');
});

test('numbers that were moved pixel by pixel, image by image, or were never pixels, are of no known scale', () => {
  const [size, count] = [784, partsOf(train).labels.length];
  const statistics = (indices: (at: number) => number, length: number) => {
    const values = Float64Array.from(
      { length },
      (_, at) => (partsOf(train).images[indices(at)] as number) / 255,
    );
    const mean = values.reduce((sum, value) => sum + value, 0) / length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / length;
    return { mean, deviation: Math.sqrt(variance) || 1 };
  };
  const perPixel = Array.from({ length: size }, (_, pixel) => statistics((at) => at * size + pixel, count));
  const moved = (each: readonly ReturnType<typeof statistics>[], index: (at: number) => number) =>
    digits((pixel, at) => {
      const { mean, deviation } = each[index(at)] as ReturnType<typeof statistics>;
      return (pixel - mean) / deviation;
    });
  assert.equal(found(moved(perPixel, (at) => at % size)), 'unknown');
  const random = randomStream(2, 'noise');
  const noise = Float32Array.from({ length: 100 * 64 }, () => random.normal());
  assert.equal(found({ shape: [100, 8, 8], values: noise }), 'unknown');
});

test('scales are written as they are read, and what is none is refused', () => {
  for (const text of [
    '-1..1',
    '0..16',
    '1..0',
    '-0.4242..2.8215',
    '-2.1..2.6,-2..2.6,-1.8..2.6',
    '1e-7..1',
  ]) {
    const scale = parseScale(text);
    assert.ok(scale !== undefined, text);
    assert.equal(formatScale(scale), text);
  }
  for (const text of [
    '',
    '1',
    '1..1',
    '0..',
    '..1',
    '0..1,',
    '0-1',
    '0..NaN',
    '0..1e999',
    '0..1,'.repeat(5),
  ]) {
    assert.equal(parseScale(text), undefined, text);
  }
});

test('values go from one scale to another, channel by channel', () => {
  const scale = (text: string) => parseScale(text) as NonNullable<ReturnType<typeof parseScale>>;
  const values = Float32Array.of(0, 255, 51, 255);
  rescale(values, { channels: 2, from: scale('0..255'), to: scale('-1..1,10..20') });
  assert.deepEqual(
    [...values].map((value) => Math.round(value * 1e5) / 1e5),
    [-1, 20, -0.6, 20],
  );
  assert.ok(isNear(scale('-1..1'), scale('-0.95..0.9')));
  assert.ok(!isNear(scale('-1..1'), scale('0..1')));
});
