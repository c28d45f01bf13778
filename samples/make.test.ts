import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { makeSamples } from './make.js';

const directory = fileURLToPath(new URL('../../samples/', import.meta.url));

test('the committed pictures are those that npm run samples makes, byte for byte', async () => {
  const made = await makeSamples();
  const committed = (await readdir(directory)).filter((name) => name.endsWith('.png')).sort();
  assert.deepEqual(made.map(({ name }) => name).sort(), committed);
  for (const { name, png } of made) {
    const kept = await readFile(join(directory, name));
    // First the pixels: they tell whether the generator or sharp's encoder has changed.
    const pixels = (bytes: Uint8Array) => sharp(bytes).raw().toBuffer();
    assert.deepEqual(await pixels(png), await pixels(kept), `${name}: other pixels`);
    assert.ok(kept.equals(png), `${name}: the same pixels in other bytes`);
  }
});

test('every digit is there, its label in the name, and all together are small', async () => {
  const made = await makeSamples();
  assert.deepEqual([...new Set(made.map(({ label }) => label))].sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  for (const { name, label } of made) assert.match(name, new RegExp(`^digit-${label}-[a-z]\\.png$`));
  assert.ok(made.reduce((sum, { png }) => sum + png.length, 0) < 100_000);
});

test('a picture is dark ink on white paper with a margin all around', async () => {
  for (const { name, png } of await makeSamples()) {
    const { data, info } = await sharp(png).greyscale().raw().toBuffer({ resolveWithObject: true });
    assert.deepEqual([info.width, info.height], [280, 280], name);
    let dark = 0;
    data.forEach((value, at) => {
      const [x, y] = [at % 280, Math.floor(at / 280)];
      if (Math.min(x, y, 279 - x, 279 - y) < 30) assert.equal(value, 255, `${name} at ${x}, ${y}`);
      if (value < 60) dark++;
    });
    assert.ok(dark > 1000, name);
  }
});
