/** Pictures as PNG files: an image library reads what is written, and writes what is read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import sharp from 'sharp';
import { decodePlainPng, encodePng } from './png.js';

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

const side = fc.integer({ min: 1, max: 40 });
const drawn = fc
  .tuple(
    side,
    side,
    fc.constantFrom(1 as const, 2 as const, 3 as const, 4 as const),
    fc.boolean(),
    fc.nat(255),
  )
  .map(([width, height, channels, isSmooth, salt]) => {
    const values = Uint8Array.from({ length: width * height * channels }, (_, at) =>
      isSmooth ? (at / channels) * 3 + salt : (at * at * 37 + salt * at) % 251,
    );
    return sharp(values, { raw: { width, height, channels } });
  });

test('what a library writes with any filters is read as that library reads it', async () => {
  await fc.assert(
    fc.asyncProperty(drawn, fc.boolean(), async (picture, adaptiveFiltering) => {
      const file = await picture.png({ adaptiveFiltering, compressionLevel: 6 }).toBuffer();
      const { data, info } = await sharp(file)
        .toColourspace('srgb')
        .ensureAlpha()
        .raw()
        .toBuffer({ resolveWithObject: true });
      const found = decodePlainPng(file, 40);
      assert.deepEqual([found?.width, found?.height], [info.width, info.height]);
      assert.ok(data.equals(found?.values ?? new Uint8Array()));
    }),
    { numRuns: 100 },
  );
});

test('other kinds of PNG, large ones, and one with any byte changed or missing are left to the library', async () => {
  const values = Uint8Array.from({ length: 20 * 20 * 3 }, (_, at) => (at * 7) % 256);
  const picture = () => sharp(values, { raw: { width: 20, height: 20, channels: 3 } });
  const others = await Promise.all([
    picture().png({ palette: true }).toBuffer(),
    picture().png({ progressive: true }).toBuffer(),
    picture().toColourspace('rgb16').png().toBuffer(),
    picture().withIccProfile('p3').png().toBuffer(),
    picture()
      .withExif({ IFD0: { Orientation: '6' } })
      .png()
      .toBuffer(),
    picture().jpeg().toBuffer(),
  ]);
  for (const file of others) assert.equal(decodePlainPng(file, 40), undefined);
  const file = await picture().png().toBuffer();
  assert.ok(decodePlainPng(file, 20));
  assert.equal(decodePlainPng(file, 19), undefined);
  for (let at = 0; at < file.length; at++) {
    assert.equal(decodePlainPng(file.subarray(0, at), 40), undefined);
    const changed = Uint8Array.from(file);
    changed[at] = (file[at] as number) ^ 0x10;
    assert.equal(decodePlainPng(changed, 40), undefined, `byte ${at}`);
  }
});
