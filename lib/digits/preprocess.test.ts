import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import sharp from 'sharp';
import { decodeImage } from '../../server/pictures/decode-image.js';
import {
  BLACK,
  type Drawing,
  digitPng,
  drawDigit,
  MNIST_LIKE,
  ON_PAPER,
  WHITE,
} from '../../server/testing/segment-digits.js';
import type { RgbaImage } from './colour-planes.js';
import { boundingBox, centreOfMass, type GreyImage, placeOn } from './grey-image.js';
import { type InputShape, preprocess } from './preprocess.js';

const MNIST: InputShape = [28, 28, 1];
const SIZE = { width: 28, height: 28 };

/** What the model is given of a grey picture, its levels from 0 to 1. */
function prepareGrey({ width, height, values }: GreyImage): GreyImage {
  const rgba = Uint8Array.from({ length: values.length * 4 }, (_, at) =>
    at % 4 === 3 ? 255 : Math.round((values[at >> 2] ?? 0) * 255),
  );
  return { ...SIZE, values: preprocess({ width, height, values: rgba }, MNIST).values };
}

async function prepare(bytes: Uint8Array, shape = MNIST): Promise<Float32Array> {
  return preprocess(await decodeImage(bytes), shape).values;
}

/** Mean difference of two pictures, one of them moved by up to a pixel: a mass between two pixels may go either way. */
function meanDifference(a: Float32Array, b: Float32Array): number {
  const from: GreyImage = { ...SIZE, values: b };
  const moves = [-1, 0, 1].flatMap((left) => [-1, 0, 1].map((top) => ({ left, top })));
  return Math.min(
    ...moves.map((move) => {
      const { values } = placeOn(SIZE, from, move);
      return a.reduce((sum, value, at) => sum + Math.abs(value - (values[at] ?? 0)), 0) / a.length;
    }),
  );
}

describe('preprocessing', () => {
  const conditions: Readonly<Record<string, Partial<Drawing>>> = {
    'dark ink on bright paper': ON_PAPER,
    'white on black, large': { width: 500, height: 500, left: 150, top: 100, digitHeight: 300 },
    'black on white, in a corner': {
      ...ON_PAPER,
      left: 300,
      top: 200,
      digitHeight: 70,
      ink: BLACK,
      paper: WHITE,
    },
    'red on grey, very wide': {
      width: 900,
      height: 120,
      left: 500,
      top: 20,
      digitHeight: 80,
      ink: [160, 0, 0],
      paper: [190, 190, 190],
    },
    'chalk on green': { ...ON_PAPER, ink: [230, 240, 235], paper: [20, 70, 45] },
    'more than the working size': {
      width: 1600,
      height: 1200,
      left: 467,
      top: 267,
      digitHeight: 600,
      ink: BLACK,
      paper: WHITE,
    },
  };

  const plainly = { width: 280, height: 280, left: 80, top: 40, digitHeight: 200 };
  const plainDigits = new Map<number, Float32Array>();

  for (const [name, drawing] of Object.entries(conditions)) {
    it(`makes the same input of a digit in ${name}`, async () => {
      for (const digit of [2, 4, 5, 7]) {
        const plain = plainDigits.get(digit) ?? (await prepare(await digitPng(digit, plainly)));
        plainDigits.set(digit, plain);
        const difference = meanDifference(await prepare(await digitPng(digit, drawing)), plain);
        assert.ok(difference < 0.03, `digit ${digit} differs by ${difference} on average`);
      }
    });
  }

  it('keeps the place of a picture that already has the form of MNIST, level by level', async () => {
    const png = await sharp(
      Uint8Array.from({ length: 784 }, (_, at) => (at % 28 > 8 && at % 28 < 20 ? 40 + (at % 200) : 0)),
      {
        raw: { width: 28, height: 28, channels: 1 },
      },
    )
      .png()
      .toBuffer();
    const grey = await sharp(png).greyscale().raw().toBuffer();
    const { pixels } = preprocess(await decodeImage(png), MNIST);
    assert.deepEqual([...pixels], [...grey]);
  });

  it('never stretches: a tall bar stays 10 times as high as wide', async () => {
    const bar = prepareGrey({
      width: 60,
      height: 200,
      values: Float32Array.from({ length: 12_000 }, (_, at) =>
        at % 60 >= 40 && at % 60 < 50 && at >= 3000 && at < 9000 ? 1 : 0,
      ),
    });
    const box = boundingBox(bar, 0.3);
    assert.deepEqual([box?.width, box?.height], [2, 20]);
  });

  it('fits any blob into the digit box and centres it by mass', () => {
    const blob = fc.record({
      width: fc.integer({ min: 30, max: 120 }),
      height: fc.integer({ min: 30, max: 120 }),
      left: fc.integer({ min: 3, max: 12 }),
      top: fc.integer({ min: 3, max: 12 }),
      w: fc.integer({ min: 1, max: 16 }),
      h: fc.integer({ min: 1, max: 16 }),
      dark: fc.boolean(),
    });
    fc.assert(
      fc.property(blob, ({ width, height, left, top, w, h, dark }) => {
        const values = Float32Array.from({ length: width * height }, (_, at) => {
          const [x, y] = [at % width, Math.floor(at / width)];
          const ink = x >= left && x < left + w && y >= top && y < top + h;
          return ink === dark ? 0.1 : 0.9;
        });
        const found = prepareGrey({ width, height, values });
        assert.ok(found.values.every((value) => value >= 0 && value <= 1.0001));
        const box = boundingBox(found, 0.01);
        assert.ok(box !== undefined && box.width <= 20 && box.height <= 20);
        const [x, y] = centreOfMass(found);
        assert.ok(Math.abs(x - 14) <= 0.51 && Math.abs(y - 14) <= 0.51, `centre at ${x}, ${y}`);
      }),
    );
  });

  it('turns a photo as its EXIF orientation says', async () => {
    const upright = drawDigit(7, { ...MNIST_LIKE, ...ON_PAPER });
    const turned = await sharp(await upright.clone().png().toBuffer())
      .rotate(-90)
      .withMetadata({ orientation: 6 })
      .jpeg({ quality: 95 })
      .toBuffer();
    const difference = meanDifference(await prepare(turned), await prepare(await upright.png().toBuffer()));
    assert.ok(difference < 0.02, `differs by ${difference}`);
  });

  it('reads transparent drawings, dark and bright', async () => {
    const plain = await prepare(await digitPng(5, { ...ON_PAPER, ink: BLACK, paper: WHITE }));
    for (const ink of [BLACK, WHITE]) {
      const { width, height, left, top, digitHeight } = { ...MNIST_LIKE, ...ON_PAPER };
      const mask = await drawDigit(5, { width, height, left, top, digitHeight, ink: WHITE, paper: BLACK })
        .greyscale()
        .raw()
        .toBuffer();
      const rgba = Buffer.from(Array.from(mask, (alpha) => [...ink, alpha]).flat());
      const png = await sharp(rgba, { raw: { width, height, channels: 4 } })
        .png()
        .toBuffer();
      const difference = meanDifference(await prepare(png), plain);
      assert.ok(difference < 0.02, `ink ${ink} differs by ${difference}`);
    }
  });

  it('reads 16-bit, palette, grey, JPEG, WebP, GIF and AVIF files alike', async () => {
    const drawing = { ...MNIST_LIKE, ...ON_PAPER };
    const plain = await prepare(await digitPng(2, ON_PAPER));
    const picture = () => drawDigit(2, drawing);
    const files = {
      png16: await picture().toColourspace('rgb16').png().toBuffer(),
      palette: await picture().png({ palette: true, colours: 4 }).toBuffer(),
      grey: await picture().greyscale().png().toBuffer(),
      jpeg: await picture().jpeg({ quality: 60 }).toBuffer(),
      cmyk: await picture().toColourspace('cmyk').jpeg({ quality: 90 }).toBuffer(),
      webp: await picture().webp().toBuffer(),
      gif: await picture().gif().toBuffer(),
      avif: await picture().avif({ effort: 0 }).toBuffer(),
    };
    for (const [kind, bytes] of Object.entries(files)) {
      const difference = meanDifference(await prepare(bytes), plain);
      assert.ok(difference < 0.03, `${kind} differs by ${difference}`);
    }
  });

  it('says when a picture is blank, and gives the model black', () => {
    for (const level of [0, 128, 255]) {
      const even: RgbaImage = {
        width: 50,
        height: 40,
        values: new Uint8Array(8000).fill(level).map((value, at) => (at % 4 === 3 ? 255 : value)),
      };
      const { blank, values } = preprocess(even, MNIST);
      assert.equal(blank, true);
      assert.ok(values.every((value) => value === 0));
    }
    assert.equal(preprocess({ width: 1, height: 1, values: Uint8Array.of(9, 9, 9, 255) }, MNIST).blank, true);
  });

  it('takes models of other sizes, and gives colour models the whole picture in colour, unstretched', async () => {
    const image = await decodeImage(
      await digitPng(4, {
        width: 200,
        height: 100,
        left: 70,
        top: 10,
        digitHeight: 80,
        ink: [200, 0, 0],
        paper: [0, 0, 100],
      }),
    );
    const { values: grey } = preprocess(image, [40, 32, 1]);
    assert.equal(grey.length, 40 * 32);
    const { values, pixels } = preprocess(image, [32, 32, 3]);
    assert.equal(values.length, 32 * 32 * 3);
    assert.deepEqual([...pixels.subarray(0, 3)], [0, 0, 100], 'the bars continue the paper');
    const reds = Array.from({ length: 32 * 32 }, (_, at) => values[at * 3] ?? 0);
    assert.ok(Math.max(...reds) > 0.6 && Math.max(...reds) <= 200 / 255 + 1e-6);
    const inked = boundingBox({ width: 32, height: 32, values: Float32Array.from(reds) }, 0.1);
    assert.ok(
      inked !== undefined && inked.height >= 12 && inked.height <= 14,
      `found ${inked?.height} of 16 rows`,
    );
  });
});
