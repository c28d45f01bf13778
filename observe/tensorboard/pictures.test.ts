/** Pictures of a test: every count where it belongs, mistakes above what they were taken for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import type { PngPicture } from './event-message.js';
import { confusionPicture, mistakesPicture } from './pictures.js';

/** The picture as whoever opens it sees it: the colour of a pixel. */
async function seen(picture: PngPicture | undefined) {
  assert.ok(picture);
  const { data, info } = await sharp(picture.png).raw().toBuffer({ resolveWithObject: true });
  assert.deepEqual([info.width, info.height, info.channels], [picture.width, picture.height, 3]);
  return {
    ...info,
    at: (x: number, y: number) => [...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3)],
  };
}

test('a confusion matrix is blue where the model is right, red where it is not, and white where nothing is', async () => {
  const { width, height, at } = await seen(
    confusionPicture([
      [0, 0, 8],
      [0, 2, 2],
      [1, 1, 10],
      [2, 2, 5],
    ]),
  );
  // Three rows below their heads, three columns beside theirs; the corner of a cell is free of its number.
  const [cellHeight, head] = [22, 22];
  const cellWidth = (width - head) / 3;
  assert.equal(height, head + 3 * cellHeight);
  const cell = (row: number, column: number) => at(head + column * cellWidth, head + row * cellHeight);
  const [right, wrong, none] = [cell(1, 1), cell(0, 2), cell(2, 0)];
  assert.deepEqual(right, [33, 102, 172]);
  assert.deepEqual(none, [255, 255, 255]);
  assert.ok((wrong[0] ?? 0) > (wrong[2] ?? 0), `${wrong}`);
  const [fewer = 0] = cell(0, 0);
  assert.ok(fewer > 33 && fewer < 255, 'the fewer are right, the paler');
});

test('a matrix of many classes has no numbers, one of more than a page holds is not drawn', async () => {
  const diagonal = (classes: number) => Array.from({ length: classes }, (_, at) => [at, at, 1] as const);
  const { width, height } = await seen(confusionPicture(diagonal(100)));
  assert.deepEqual([width, height], [800, 800]);
  assert.equal(confusionPicture(diagonal(101)), undefined);
  assert.equal(confusionPicture([]), undefined);
});

test('mistakes are shown enlarged, six in a row, with both classes below', async () => {
  const pixels = { width: 2, height: 2, channels: 1, values: Uint8Array.of(0, 255, 128, 64) } as const;
  const grey = Array.from({ length: 7 }, () => ({ label: 4, predicted: 9, pixels }));
  const { width, height, at } = await seen(mistakesPicture(grey));
  assert.deepEqual([width, height], [6 * 70, 2 * (64 + 16 + 6)]);
  assert.deepEqual(
    [at(0, 0), at(63, 0), at(0, 63), at(63, 63)],
    [0, 255, 128, 64].map((level) => [level, level, level]),
  );
  const caption = Array.from({ length: 70 }, (_, x) =>
    Array.from({ length: 16 }, (_, y) => at(x, 64 + y)),
  ).flat();
  assert.ok(caption.some((colour) => `${colour}` === '178,24,43'));
  const colour = {
    ...pixels,
    channels: 3,
    values: Uint8Array.from({ length: 12 }, (_, at) => at * 20),
  } as const;
  const shown = await seen(mistakesPicture([{ label: 1, predicted: 0, pixels: colour }]));
  assert.deepEqual(shown.at(40, 0), [60, 80, 100]);
  assert.equal(mistakesPicture([]), undefined);
});
