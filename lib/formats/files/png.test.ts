/** Pictures as PNG files: an independent decoder reads them back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import sharp from 'sharp';
import { encodePng } from './png.js';

test('what is written is what an image library reads', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 9 }),
      fc.constantFrom(1 as const, 3 as const),
      fc.infiniteStream(fc.integer({ min: 0, max: 255 })),
      async (width, height, channels, numbers) => {
        const values = Uint8Array.from(numbers.take(width * height * channels));
        const { data, info } = await sharp(encodePng({ width, height, channels, values }))
          .toColourspace(channels === 1 ? 'b-w' : 'srgb')
          .raw()
          .toBuffer({ resolveWithObject: true });
        assert.deepEqual([info.width, info.height, info.channels], [width, height, channels]);
        assert.deepEqual([...data], [...values]);
      },
    ),
    { numRuns: 20 },
  );
});
