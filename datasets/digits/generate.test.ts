import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelHistogram } from '../../lib/federation/examples.js';
import { partsOf } from '../../test/datasets.js';
import { DEFAULT_DIGITS, generateDigits } from './generate.js';

const image = (images: ArrayLike<number>, index: number) =>
  Array.from({ length: 784 }, (_, at) => images[index * 784 + at]);

test('classes are balanced to within one example, in both splits', async () => {
  const { train, test: held } = await generateDigits({ seed: 1, train: 205, test: 40 });
  const counts = labelHistogram(partsOf(train).labels, 10);
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    205,
  );
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, counts.join(' '));
  assert.deepEqual([...labelHistogram(partsOf(held).labels, 10)], Array(10).fill(4));
  assert.deepEqual(partsOf(train).shape, [205, 28, 28]);
  assert.ok(partsOf(train).images instanceof Uint8Array && partsOf(train).images.length === 205 * 784);
});

test('every second, third, fifth or tenth example is a mixture of all digits', async () => {
  const { train } = await generateDigits({ seed: 1, train: 1000, test: 0 });
  for (const stride of [2, 3, 5, 10]) {
    const dealt = partsOf(train).labels.filter((_, index) => index % stride === 0);
    const counts = labelHistogram(dealt, 10);
    assert.ok(Math.min(...counts) > 0, `stride ${stride}: ${counts.join(' ')}`);
  }
});

test('an example depends on seed, split and index alone, not on how many there are', async () => {
  const few = await generateDigits({ seed: 5, train: 25, test: 12 });
  const many = await generateDigits({ seed: 5, train: 60, test: 30 });
  assert.deepEqual(
    partsOf(few.train).images,
    partsOf(many.train).images.slice(0, partsOf(few.train).images.length),
  );
  assert.deepEqual(partsOf(few.train).labels, partsOf(many.train).labels.slice(0, 25));
  assert.deepEqual(
    partsOf(few.test).images,
    partsOf(many.test).images.slice(0, partsOf(few.test).images.length),
  );
});

test('no test image is a training image, and another seed gives other images', async () => {
  const { train, test: held } = await generateDigits({ seed: 0, train: 300, test: 100 });
  const seen = new Set(Array.from({ length: 300 }, (_, index) => image(partsOf(train).images, index).join()));
  assert.equal(seen.size, 300);
  for (let index = 0; index < 100; index++) assert.ok(!seen.has(image(partsOf(held).images, index).join()));
  const other = await generateDigits({ seed: 1, train: 10, test: 0 });
  for (let index = 0; index < 10; index++)
    assert.ok(!seen.has(image(partsOf(other.train).images, index).join()));
});

test('progress ends at the total, and a signal stops it', async () => {
  const told: number[] = [];
  await generateDigits({ seed: 0, train: 700, test: 20 }, { onProgress: (count) => told.push(count) });
  assert.deepEqual(told, [500, 700, 720]);
  const stop = new AbortController();
  const onProgress = () => stop.abort(new Error('enough'));
  await assert.rejects(generateDigits(DEFAULT_DIGITS, { onProgress, signal: stop.signal }), /enough/);
});
